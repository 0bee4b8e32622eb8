"""Redrive of dead letters: each whose task has ended becomes a new one; others are moved back."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from dataclasses import dataclass
from hashlib import sha256

from sqswarm.backends.ports.bus import Outgoing
from sqswarm.dispatcher.connection import Connection
from sqswarm.dispatcher.lifecycle.dead_letters import (
    ALL,
    HELD_LIMIT,
    Chosen,
    DeadLetter,
    dead_letter_queue,
    receive_dead_letters,
)
from sqswarm.dispatcher.lifecycle.redrive import redrive
from sqswarm.dispatcher.pace import AT_ONCE, Pace
from sqswarm.dispatcher.submit import Submitted
from sqswarm.dispatcher.view import find, find_many
from sqswarm.schemas.errors import PoisonMessage, SwarmError, UnknownAgent, UsageError
from sqswarm.schemas.message import decode
from sqswarm.schemas.naming import UNROUTED

_HELD_AT_ONCE = 50


@dataclass(frozen=True, kw_only=True)
class Redriven:
    """What became of one dead letter: the new task, or (`new` None) the message moved back.

    `error` says why it was left where it is.
    """

    letter: DeadLetter
    new: Submitted | None = None
    error: SwarmError | None = None


async def redrive_dead_letters(
    connection: Connection,
    agent: str,
    *,
    chosen: Chosen = ALL,
    limit: int | None = None,
    rate_per_s: float | None = None,
) -> AsyncGenerator[Redriven]:
    """Redrive an agent's dead letters: the `chosen` ones; `limit` and a rate at most.

    A dead letter whose task has ended becomes a new task; one that names no recorded task is moved
    back to its agent's queue as it is. A dead letter is deleted after its task is on its way. They
    go several at a time, but an ordered agent's one after another. What comes back meanwhile,
    because it failed once more, is left: else a broken agent would be kept busy for ever.
    """
    queue = dead_letter_queue(connection, agent)
    ordered = queue.endswith(".fifo")
    pace = Pace(connection.runner, rate_per_s, at_once=1 if ordered else AT_ONCE)
    done = 0
    seen: set[str] = set()
    sent: set[str] = set()
    while limit is None or done < limit:
        expected = (await connection.bus.depth(queue)).waiting
        # Of a queue in which most are to stay, all have to be held to come by the others.
        held = _HELD_AT_ONCE if chosen.everything else HELD_LIMIT
        async with receive_dead_letters(
            connection, agent, limit=held, expected=min(expected, held)
        ) as letters:
            new = [letter for letter in letters if letter.delivery.message_id not in seen]
            if not new:
                return
            seen.update(letter.delivery.message_id for letter in new)
            wanted = [one for one in new if chosen.wants(one) and _mark(one) not in sent]
            while wanted and (limit is None or done < limit):
                size = pace.size if limit is None else min(pace.size, limit - done)
                several, wanted = wanted[:size], wanted[size:]
                results = await connection.runner.gather(
                    [_redrive_letter(connection, letter) for letter in several]
                )
                gone = [one.letter.delivery.receipt for one in results if one.error is None]
                await connection.bus.delete(queue, gone)
                done += len(gone)
                sent.update(one.new.task_id if one.new else _mark(one.letter) for one in results)
                for one in results:
                    yield one
                await pace.wait(len(several))


async def remove_redriven(connection: Connection, agent: str) -> int:
    """Delete the dead letters of an agent's tasks that were redriven; return how many.

    HELD_LIMIT are looked at. What stays is harmless: to redrive it finds the same new task.
    """
    queue = dead_letter_queue(connection, agent)
    expected = (await connection.bus.depth(queue)).waiting
    if not expected:
        return 0
    async with receive_dead_letters(
        connection, agent, limit=HELD_LIMIT, expected=expected
    ) as letters:
        of_tasks = {one.task_id: agent for one in letters if one.task_id is not None}
        records = await find_many(connection, of_tasks)
        gone = [
            letter.delivery.receipt
            for letter in letters
            if letter.task_id in records and records[letter.task_id].redriven_as is not None
        ]
        await connection.bus.delete(queue, gone)
    return len(gone)


def _mark(letter: DeadLetter) -> str:
    """Return what tells a dead letter from others however often it is sent: its task, or its text.

    A message that is moved back has another id at each receive.
    """
    return letter.task_id or sha256(letter.delivery.body.encode(errors="replace")).hexdigest()


async def _redrive_letter(connection: Connection, letter: DeadLetter) -> Redriven:
    try:
        task_id, agent = letter.task_id, letter.agent
        if task_id is not None and await find(connection, task_id, agent=agent) is not None:
            return Redriven(letter=letter, new=await redrive(connection, task_id, agent=agent))
        await _move_back(connection, letter)
    except (UsageError, UnknownAgent) as error:
        return Redriven(letter=letter, error=error)
    return Redriven(letter=letter)


async def _move_back(connection: Connection, letter: DeadLetter) -> None:
    """Send a message that is nobody's task to its agent's queue, as it is; raises UnknownAgent."""
    entry = connection.catalogue.agent(_addressee(letter))
    given = letter.delivery.attributes
    message = Outgoing(
        id=letter.delivery.message_id,
        body=letter.delivery.body,
        principal=given.get("principal") or connection.principal,
        agent=entry.name,
        group=letter.delivery.group if entry.ordered else None,
        dedup_suffix=f"-{connection.runner.now_ms()}",
    )
    await connection.bus.send(connection.names.queue(entry.name, ordered=entry.ordered), [message])


def _addressee(letter: DeadLetter) -> str:
    """Return whose queue a message belongs into: what nobody wanted may have an agent by now."""
    if letter.agent != UNROUTED:
        return letter.agent
    try:
        return decode(letter.delivery.body).name
    except PoisonMessage as poison:
        message = f"the message names no agent: {poison}"
        raise UnknownAgent(message) from poison
