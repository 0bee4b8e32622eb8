"""Canary: a share of messages goes to new versions first; who fails there takes them back.

What is counted are attempts as the tasks' own records tell of them, each with the version that ran
it, in the time since the canary began: nothing is asked that workers would have to write for it.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from sqswarm.backends.runner import run_straight
from sqswarm.dispatcher.connection import Connection
from sqswarm.dispatcher.listing import list_tasks
from sqswarm.schemas.errors import DeployFailed
from sqswarm.schemas.history import AttemptOutcome, attempts
from sqswarm.schemas.task_filter import TaskFilter

_PAGE = 100
_PAGES = 5
"""Of each agent's latest tasks, 500 at most are looked at each time."""
_FAILED = frozenset(
    {
        AttemptOutcome.FAILED,
        AttemptOutcome.RETRIED,
        AttemptOutcome.LOST,
        AttemptOutcome.PARKED,
    }
)
ENOUGH = 3
"""So many attempts of the new code must have failed before it is blamed."""
_TIMES_WORSE = 2
_ANYWAY = 0.05
"""A share of failures that the old code is always taken to have."""


@dataclass(frozen=True, kw_only=True)
class Canary:
    """What share of messages (0 to 1) new code gets, and for how many seconds."""

    share: float
    bake_s: float


@dataclass(kw_only=True)
class Tally:
    """One agent's attempts since the canary began, by version: how many ended, how many failed."""

    ended: Counter[str] = field(default_factory=Counter)
    failed: Counter[str] = field(default_factory=Counter)
    errors: Counter[str] = field(default_factory=Counter)
    seen: set[tuple[str, int, int]] = field(default_factory=set)

    def add(self, version: str, *, failed: bool, error: str | None) -> None:
        """Count one attempt that is over."""
        self.ended[version] += 1
        if failed:
            self.failed[version] += 1
            self.errors[error or "lost"] += 1

    def blames(self, new: str, old: str) -> bool:
        """Tell whether `new` fails, and clearly more than `old` does at the same time."""
        failed = self.failed[new]
        share = failed / max(1, self.ended[new])
        usual = max(_ANYWAY, self.failed[old] / max(1, self.ended[old]))
        return failed >= ENOUGH and share > min(0.5, _TIMES_WORSE * usual)


def bake(
    connection: Connection,
    versions: Mapping[str, tuple[str, str]],
    canary: Canary,
    *,
    step: Callable[[str], None],
    look_every_s: float,
) -> tuple[str, ...]:
    """Watch new versions beside old ones (agent → new, old); return what there is to say, as notes.

    Raises DeployFailed as soon as one fails.
    """
    tallies = {agent: Tally() for agent in versions}
    began_ms, ends_s = connection.runner.now_ms(), time.monotonic() + canary.bake_s
    while True:
        left_s = ends_s - time.monotonic()
        time.sleep(max(0.0, min(look_every_s, left_s)))
        for agent, (new, old) in versions.items():
            look(connection, agent, tallies[agent], since_ms=began_ms)
            if tallies[agent].blames(new, old):
                raise DeployFailed(_why(agent, tallies[agent], new, old), hint=_HINT)
        ran = sum(tallies[agent].ended[new] for agent, (new, _) in versions.items())
        bad = sum(tallies[agent].failed[new] for agent, (new, _) in versions.items())
        step(f"canary of {canary.share:.0%}: {ran} attempts, {bad} failed, {max(0, left_s):.0f} s")
        if time.monotonic() >= ends_s:
            break
    idle = [agent for agent, (new, _) in versions.items() if not tallies[agent].ended[new]]
    return (f"the canary met no task of {', '.join(idle)}",) if idle else ()


_HINT = (
    "What it had begun goes on with the code that was there, or is parked where that does not fit. "
    "Mend it, and deploy again."
)


def look(connection: Connection, agent: str, tally: Tally, *, since_ms: int) -> None:
    """Count the attempts that have ended since the last look."""
    wanted, cursor = TaskFilter(agent=agent, since_ms=since_ms), None
    now_ms = connection.runner.now_ms()
    for _ in range(_PAGES):
        page = run_straight(list_tasks(connection, wanted, limit=_PAGE, cursor=cursor))
        for view in page:
            for one in attempts(view.record, now_ms=now_ms).attempts:
                if one.ended_ms is None or one.began_ms < since_ms or "@" not in one.version:
                    continue
                mark = (view.id, one.attempt, one.began_ms)
                if mark not in tally.seen:
                    tally.seen.add(mark)
                    tally.add(
                        one.version.rpartition("@")[2],
                        failed=one.outcome in _FAILED,
                        error=one.error_type or view.record.error_type,
                    )
        cursor = page.cursor
        if cursor is None:
            return


def _why(agent: str, tally: Tally, new: str, old: str) -> str:
    [(error, _)] = tally.errors.most_common(1)
    return (
        f"the canary of {agent} failed and is taken back: {tally.failed[new]} of "
        f"{tally.ended[new]} attempts of version {new} failed (such as {error}), "
        f"{tally.failed[old]} of {tally.ended[old]} of version {old}"
    )
