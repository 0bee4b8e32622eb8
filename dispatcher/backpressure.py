"""Backpressure: an agent whose oldest message is too old gets no more until it has caught up."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from sqswarm.dispatcher.connection import Connection
from sqswarm.schemas.catalogue import CatalogueEntry
from sqswarm.schemas.errors import Backlogged, UsageError

if TYPE_CHECKING:
    from sqswarm.dispatcher.submit import Request

REFUSE, WAIT = "refuse", "wait"
_KNOWN_MS = 10_000
"""How long an age is taken for what is so: CloudWatch has a new one each minute."""
_LOOK_S = 10.0


def check_backpressure(request: Request) -> None:
    """Raise UsageError where a request says what nobody can do."""
    if request.when_behind not in {None, REFUSE, WAIT}:
        message = f"when_behind={request.when_behind!r} is neither {REFUSE!r} nor {WAIT!r}"
        raise UsageError(message, hint="Leave it out to submit whatever waits.")
    if request.older_than_s < 1:
        message = f"older_than is {request.older_than_s} s; 1 or more are possible"
        raise UsageError(message, hint="It is the age of the oldest message in seconds, as 60.")


async def heed_backlog(
    connection: Connection, entry: CatalogueEntry, requests: Sequence[Request]
) -> None:
    """Return at once unless the agent is behind by what some request bears; or wait, or refuse.

    Raises Backlogged, before anything is written: at once for who wants that, and for who waits
    once that request's deadline would be over.
    """
    waited_s = 0.0
    while heeded := [one for one in requests if one.when_behind is not None]:
        age_s = await _oldest_s(connection, entry)
        behind = [one for one in heeded if age_s > one.older_than_s]
        if not behind:
            return
        if any(one.when_behind == REFUSE or _is_over(one, waited_s) for one in behind):
            limit_s = min(one.older_than_s for one in behind)
            message = f"agent {entry.name!r} is {age_s} s behind, and {limit_s} s were to be borne"
            raise Backlogged(message)
        await connection.runner.sleep(_LOOK_S)
        waited_s += _LOOK_S


def _is_over(request: Request, waited_s: float) -> bool:
    """Tell whether a request's deadline is over, where it is so many seconds from now."""
    return isinstance(request.deadline, int | float) and waited_s >= request.deadline


async def _oldest_s(connection: Connection, entry: CatalogueEntry) -> int:
    """Return the age of the agent's oldest message (seconds, 0 where there is none)."""
    queue = connection.names.queue(entry.name, ordered=entry.ordered)
    now_ms = connection.runner.now_ms()
    known_ms, age_s = connection.ages.get(queue, (0, 0))
    if known_ms + _KNOWN_MS > now_ms:
        return age_s
    age_s = (await connection.bus.oldest_s([queue])).get(queue, 0)
    # An age that was measured before the queue was emptied is nobody's.
    if age_s and not (await connection.bus.depth(queue)).total:
        age_s = 0
    connection.ages[queue] = (now_ms, age_s)
    return age_s
