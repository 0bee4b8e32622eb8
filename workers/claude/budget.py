"""Spend: keep a call's worst case within its accounts, then enter what it cost."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqswarm.schemas.budget import Budget, BudgetAccount, CostCeiling
from sqswarm.schemas.ids import new_version
from sqswarm.schemas.ledger import LedgerEntry, day_of
from sqswarm.schemas.pricing import Price, Tokens
from sqswarm.schemas.protocol import ledger
from sqswarm.schemas.writes import Item, Refused, Write, WriteOutcome
from sqswarm.workers.runtime.outcome import Fail
from sqswarm.workers.runtime.worker_context import WorkerContext

_KEPT_S = 400 * 24 * 3600
_WAIT_S = 0.5
_TRIES = 8


@dataclass(frozen=True, kw_only=True)
class Reservation:
    """What is committed for a call on its way."""

    accounts: tuple[BudgetAccount, ...]
    ceiling: CostCeiling
    day: str
    call: str


class Spend:
    """One task's spending."""

    def __init__(
        self, worker: WorkerContext, *, task_id: str, principal: str, budget: Budget
    ) -> None:
        """Spend within `budget`."""
        self._worker = worker
        self._task_id = task_id
        self._principal = principal
        self._budget = budget

    async def reserve(self, ceiling: CostCeiling, *, patience_s: float) -> Reservation:
        """Commit `ceiling` to every account; raises Fail (BudgetExceeded) where it does not fit.

        Waits up to `patience_s` for what other calls have committed and may not need. A call is
        never begun beyond an account's limit, however many workers try at once.
        """
        day = day_of(self._worker.now_ms())
        agent = self._worker.spec.name
        accounts = self._budget.accounts(
            task_id=self._task_id, agent=agent, principal=self._principal, day=day
        )
        reservation = Reservation(
            accounts=accounts,
            ceiling=ceiling,
            day=day,
            call=new_version(self._worker.runner.random_bits),
        )
        fresh: set[str] = set()
        waited_s = 0.0
        while accounts:
            refused = await self._try(accounts, ceiling, fresh)
            if not refused:
                break
            if self._learned(refused, fresh):
                continue
            for account, item in refused:
                reason = account.reason_to_refuse(ceiling, item)
                if reason is None and waited_s >= patience_s:
                    reason = f"calls on their way hold what is left per {account.name}"
                if reason is not None:
                    raise Fail(reason, type="BudgetExceeded")
            pause_s = _WAIT_S * (0.5 + self._worker.runner.jitter())
            waited_s += pause_s
            await self._worker.runner.sleep(pause_s)
        return reservation

    async def settle(
        self,
        reservation: Reservation,
        tokens: Tokens,
        *,
        model: str,
        price: Price | None,
        sure: bool = True,
    ) -> int:
        """Enter what a call cost in place of its worst case; returns micro-dollars.

        Where that is not `sure` (a reply broke off), its worst case stays committed.
        """
        micro_usd = 0 if price is None else price.micro_usd(tokens)
        freed = (
            reservation.ceiling if sure else CostCeiling(micro_usd=micro_usd, tokens=tokens.total)
        )
        writes = [
            ledger.settle_reservation(account, freed, micro_usd=micro_usd, tokens=tokens.total)
            for account in reservation.accounts
        ]
        if tokens.total:
            entry = LedgerEntry(
                day=reservation.day,
                agent=self._worker.spec.name,
                model=model,
                principal=self._principal,
                task_id=self._task_id,
                call=reservation.call,
                tokens=tokens,
                micro_usd=micro_usd,
                at_ms=self._worker.now_ms(),
            )
            writes.append(ledger.record_call(entry, expires_s=self._expires_s()))
        if writes:
            await persistently(self._worker, writes)
        return micro_usd

    async def _try(
        self, accounts: Sequence[BudgetAccount], ceiling: CostCeiling, fresh: set[str]
    ) -> list[tuple[BudgetAccount, Item | None]]:
        """Return the accounts that refused, and what they hold; none where all is committed."""
        writes: list[Write] = []
        for account in accounts:
            write = ledger.reserve(
                account, ceiling, fresh=account.key.pk in fresh, expires_s=self._expires_s()
            )
            if write is None:
                reason = account.reason_to_refuse(ceiling, None) or "the budget is too small"
                raise Fail(reason, type="BudgetExceeded")
            writes.append(write)
        outcomes = await persistently(self._worker, writes)
        return [
            (account, outcome.item)
            for account, outcome in zip(accounts, outcomes, strict=True)
            if isinstance(outcome, Refused)
        ]

    def _learned(self, refused: list[tuple[BudgetAccount, Item | None]], fresh: set[str]) -> bool:
        """Note which accounts are empty; true where that was not known."""
        learned = False
        for account, item in refused:
            empty = item is None or "committed" not in item
            if empty != (account.key.pk in fresh):
                (fresh.add if empty else fresh.discard)(account.key.pk)
                learned = True
        return learned

    def _expires_s(self) -> int:
        return self._worker.now_ms() // 1000 + _KEPT_S


async def persistently(worker: WorkerContext, writes: Sequence[Write]) -> list[WriteOutcome]:
    """Carry out a transaction, begun anew where others keep its items in hand for long.

    One whose answer was lost is safe to repeat: an entry is written once, and what is committed
    twice only makes an account narrower.
    """
    for left in range(_TRIES - 1, -1, -1):
        try:
            return await worker.store.transact(writes)
        except Exception:  # throttled, in conflict, cut off: the store has tried already
            if not left:
                raise
        await worker.runner.sleep(0.1 + 0.4 * worker.runner.jitter())
    raise AssertionError  # the last try returned or raised
