"""Why a task is parked: what its code would do otherwise than is recorded, told where it stands.

The record keeps it as JSON text in `parked`: `{"why": …, "at": ms, "place": 2, "recorded": …,
"got": …, "by": …}`, of which `why` and `at` are always there.
"""

from __future__ import annotations

from sqswarm.schemas.json import JsonObject, dumps, encodable
from sqswarm.schemas.value import dataclass

WHY_LIMIT = 1000
_NAME_LIMIT = 300

SECOND_LOOK_MS = 5 * 60_000
"""How long after it was parked housekeeping looks once more whether its code is another by now."""

SETTLING_MS = 5 * 60_000
"""How long after a deployment workers of the code before it may still take up tasks."""

LONGEST_SETTLING_MS = 30 * 60_000


@dataclass(frozen=True, kw_only=True)
class Misfit:
    """The first thing that a run does otherwise than is recorded.

    `place` counts operations from 1; `recorded` is what stands there, `got` what the run did
    instead (None: it ended). Where the code does not even begin, `why` is all there is.
    """

    why: str
    place: int | None = None
    recorded: str | None = None
    got: str | None = None

    def text(self, *, at_ms: int, by: str = "") -> str:
        """Return what the record keeps; `by` is the code that it met, as far as that is known."""
        kept: JsonObject = {"why": encodable(self.why)[:WHY_LIMIT], "at": at_ms}
        if self.place is not None:
            kept["place"] = self.place
        names = {"recorded": self.recorded, "got": self.got, "by": by or None}
        kept |= {k: encodable(v)[:_NAME_LIMIT] for k, v in names.items() if v is not None}
        return dumps(kept)


def not_deployed(agent: str) -> Misfit:
    """Return why a task waits whose agent is not deployed."""
    return Misfit(why=f"the agent {agent!r} is not deployed")


def is_worth_another_try(*, parked_ms: int, deployed_ms: int, timeout_s: int) -> bool:
    """Tell whether a parked task may have met code that is no longer there.

    It has where a deployment came later, and where one came so shortly before that a worker of the
    code before it may have parked it. Everything else has met the code of today.
    """
    settling_ms = min(SETTLING_MS + 1000 * timeout_s, LONGEST_SETTLING_MS)
    return parked_ms <= deployed_ms + settling_ms
