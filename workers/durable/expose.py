"""Expose: an agent shows its state to who asks for it, while it runs, waits, and after its end."""

from __future__ import annotations

from typing import Any

from sqswarm.backends.redact import hide_all
from sqswarm.dispatcher.jsonable import encoded
from sqswarm.schemas import protocol
from sqswarm.schemas.json import dumps, size_bytes
from sqswarm.schemas.writes import Applied
from sqswarm.workers.durable.journal import Journal
from sqswarm.workers.runtime.outcome import Fail

STATE_LIMIT_BYTES = 4 * 1024
"""It lies in the task's record, by whose size each of its writes is billed."""


async def run_expose(journal: Journal, state: Any) -> None:
    """Record the state under the fence: one table write, and none where it is what stands there.

    A replay shows nothing until it has met all that is recorded: the task has got further than
    that. Raises Fail for what is no JSON or too large, LeaseLost where the task is another's.
    """
    try:
        _, plain = encoded(state, place="state")
    except (TypeError, ValueError) as error:
        raise Fail(f"what is exposed is not JSON: {error}", type="InvalidState") from error
    text = dumps(hide_all(plain))
    if (size := size_bytes(text)) > STATE_LIMIT_BYTES:
        reason = f"what is exposed has {size:,} bytes; {STATE_LIMIT_BYTES:,} are possible"
        raise Fail(reason, type="InvalidState")
    if text == journal.exposed or await journal.replays():
        return
    async with journal.machinery():
        write = protocol.expose(journal.lease, state=text, now_ms=journal.worker.now_ms())
        outcome = await journal.worker.store.write(write)
        if not isinstance(outcome, Applied):
            raise journal.lost(outcome.item)
    journal.exposed = text
