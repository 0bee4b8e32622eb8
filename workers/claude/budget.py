"""Spend: keep a call's worst case within its purses, then enter what it cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqswarm.schemas import protocol
from sqswarm.schemas.ids import new_version
from sqswarm.schemas.ledger import Budget, Entry, Purse, Worst, day_of
from sqswarm.schemas.pricing import Price, Tokens
from sqswarm.schemas.writes import Item, Outcome, Refused, Write
from sqswarm.workers.runtime.outcome import Fail
from sqswarm.workers.runtime.worker_context import Station

_KEPT_S = 400 * 24 * 3600
_WAIT_S = 0.5
_TRIES = 8


@dataclass(frozen=True, kw_only=True)
class Hold:
    """What is committed for a call on its way."""

    purses: tuple[Purse, ...]
    worst: Worst
    day: str
    call: str


class Spend:
    """One task's spending."""

    def __init__(self, station: Station, *, task_id: str, principal: str, budget: Budget) -> None:
        """Spend within `budget`."""
        self._station = station
        self._task_id = task_id
        self._principal = principal
        self._budget = budget

    async def reserve(self, worst: Worst, *, patience_s: float) -> Hold:
        """Commit `worst` to every purse; raises Fail (BudgetExceeded) where it does not fit.

        Waits up to `patience_s` for what other calls have committed and may not need. A call is
        never begun beyond a purse's limit, however many workers try at once.
        """
        day = day_of(self._station.now_ms())
        agent = self._station.spec.name
        purses = self._budget.purses(
            task_id=self._task_id, agent=agent, principal=self._principal, day=day
        )
        hold = Hold(purses=purses, worst=worst, day=day, call=new_version())
        fresh: set[str] = set()
        waited_s = 0.0
        while purses:
            refused = await self._try(purses, worst, fresh)
            if not refused:
                break
            if self._learned(refused, fresh):
                continue
            for purse, item in refused:
                reason = purse.says_no(worst, item)
                if reason is None and waited_s >= patience_s:
                    reason = f"calls on their way hold what is left per {purse.name}"
                if reason is not None:
                    raise Fail(reason, type="BudgetExceeded")
            pause_s = _WAIT_S * (0.5 + self._station.jitter())
            waited_s += pause_s
            await self._station.runner.sleep(pause_s)
        return hold

    async def settle(
        self, hold: Hold, tokens: Tokens, *, model: str, price: Price | None, sure: bool = True
    ) -> int:
        """Enter what a call cost in place of its worst case; returns micro-dollars.

        Where that is not `sure` (a reply broke off), its worst case stays committed.
        """
        micro_usd = 0 if price is None else price.micro_usd(tokens)
        freed = hold.worst if sure else Worst(micro_usd=micro_usd, tokens=tokens.total)
        writes = [
            protocol.settle_up(purse, freed, micro_usd=micro_usd, tokens=tokens.total)
            for purse in hold.purses
        ]
        if tokens.total:
            entry = Entry(
                day=hold.day,
                agent=self._station.spec.name,
                model=model,
                principal=self._principal,
                task_id=self._task_id,
                call=hold.call,
                tokens=tokens,
                micro_usd=micro_usd,
            )
            writes.append(protocol.enter(entry, expires_s=self._expires_s()))
        if writes:
            await persistently(self._station, writes)
        return micro_usd

    async def _try(
        self, purses: Sequence[Purse], worst: Worst, fresh: set[str]
    ) -> list[tuple[Purse, Item | None]]:
        """Return the purses that refused, and what they hold; none where all is committed."""
        writes: list[Write] = []
        for purse in purses:
            write = protocol.reserve(
                purse, worst, fresh=purse.key.pk in fresh, expires_s=self._expires_s()
            )
            if write is None:
                reason = purse.says_no(worst, None) or "the budget is too small"
                raise Fail(reason, type="BudgetExceeded")
            writes.append(write)
        outcomes = await persistently(self._station, writes)
        return [
            (purse, outcome.item)
            for purse, outcome in zip(purses, outcomes, strict=True)
            if isinstance(outcome, Refused)
        ]

    def _learned(self, refused: list[tuple[Purse, Item | None]], fresh: set[str]) -> bool:
        """Note which purses are empty; true where that was not known."""
        learned = False
        for purse, item in refused:
            empty = item is None or "committed" not in item
            if empty != (purse.key.pk in fresh):
                (fresh.add if empty else fresh.discard)(purse.key.pk)
                learned = True
        return learned

    def _expires_s(self) -> int:
        return self._station.now_ms() // 1000 + _KEPT_S


async def persistently(station: Station, writes: Sequence[Write]) -> list[Outcome]:
    """Carry out a transaction, begun anew where others keep its items in hand for long.

    One whose answer was lost is safe to repeat: an entry is written once, and what is committed
    twice only makes a purse narrower.
    """
    for left in range(_TRIES - 1, -1, -1):
        try:
            return await station.store.transact(writes)
        except Exception:  # throttled, in conflict, cut off: the store has tried already
            if not left:
                raise
        await station.runner.sleep(0.1 + 0.4 * station.jitter())
    raise AssertionError  # the last try returned or raised
