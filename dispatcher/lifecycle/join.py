"""Join: ended children are counted in their parent, and the last one resumes it, once."""

from __future__ import annotations

from collections.abc import Sequence

from sqswarm.backends.aws.chunks import chunks
from sqswarm.dispatcher.connection import DUE_GRACE_MS, Connection
from sqswarm.dispatcher.lifecycle.republish import republish
from sqswarm.schemas import protocol
from sqswarm.schemas.ids import new_version
from sqswarm.schemas.lifecycle import Phase, Status
from sqswarm.schemas.task import TaskRecord
from sqswarm.schemas.writes import Applied, Refused

_A_WRITE = 50
"""Children counted in one write. Source: DynamoDB, an expression has up to 4 KB."""


async def count_in_parent(connection: Connection, parent_id: str, numbers: Sequence[int]) -> None:
    """Take ended children, by number, out of what their parent waits for; resume it if it may."""
    for part in chunks(numbers, _A_WRITE):
        await _count(connection, parent_id, part)


async def _count(connection: Connection, parent_id: str, numbers: Sequence[int]) -> None:
    outcome = await connection.store.write(protocol.count(parent_id, numbers))
    if isinstance(outcome, Refused) and len(numbers) > 1:
        # Some of them have been counted before; each of the others still has to be.
        for number in numbers:
            outcome = await connection.store.write(protocol.count(parent_id, [number]))
    if outcome.item is not None:
        await resume_parent(connection, TaskRecord.from_item(outcome.item))


async def resume_parent(connection: Connection, parent: TaskRecord) -> bool:
    """Fire the join of a parent that waits for no child any more, and publish it.

    One that has fired and that no worker has had is published again: whoever fired it may have
    died before its publish. Returns whether it was published.
    """
    if parent.status is not Status.WORKING:
        return False
    if parent.phase is Phase.WAITING and not parent.pending:
        now = connection.runner.now_ms()
        fired = await connection.store.write(
            protocol.fire(
                parent.task_id,
                v=new_version(connection.runner.random_bits),
                now_ms=now,
                due_at_ms=now + DUE_GRACE_MS,
            )
        )
        if fired.item is None:
            return False
        parent = TaskRecord.from_item(fired.item)
        if isinstance(fired, Applied):
            await republish(connection, [parent])
            return True
    untouched = parent.phase is Phase.CHILDREN_DONE and not parent.attempt
    if parent.status is Status.WORKING and untouched:
        await republish(connection, [parent])
        return True
    return False
