"""Sessions: the conversations under an id, found at the agents that have one, and forgotten."""

from __future__ import annotations

from collections.abc import Iterable

from sqswarm.dispatcher.connection import Connection
from sqswarm.schemas.errors import Unreachable
from sqswarm.schemas.session import History
from sqswarm.schemas.writes import Refused

_TRIES = 10


async def find_sessions(
    connection: Connection, session_id: str, *, principal: str, agents: Iterable[str]
) -> list[History]:
    """Return the conversations of `principal` under this id with any of the agents, in one read."""
    sessions = [History(agent=one, principal=principal, session_id=session_id) for one in agents]
    items = await connection.store.read_many([one.key for one in sessions])
    return [held for one in sessions if (held := one.of_item(items.get(one.key))).turns]


async def forget_session(connection: Connection, history: History) -> int:
    """Drop all of a conversation and return how many turns it had.

    Raises Unreachable where it is written to all the time.
    """
    for _ in range(_TRIES):
        outcome = await connection.store.write(history.forget(now_ms=connection.runner.now_ms()))
        if not isinstance(outcome, Refused):
            return len(history.turns)
        history = history.of_item(outcome.item)
    message = f"session {history.session_id!r} is written to all the time"
    raise Unreachable(message, hint="Cancel its tasks first.")
