"""Pause and resume: an agent's tasks wait in its queue, whole and unharmed, until it goes on.

What is said first is who is paused, then the delivery is switched: whoever is killed in between
says it again, and a deployment makes the one follow the other too.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from sqswarm.dispatcher.connection import Connection
from sqswarm.schemas.errors import Unreachable
from sqswarm.schemas.paused import PAUSED_KEY, Pause, Paused, dump_paused, load_paused

_TRIES = 20


async def read_paused(connection: Connection) -> dict[str, Pause]:
    """Return who is paused, by the agent's name."""
    data, _ = await connection.blobs.read(PAUSED_KEY)
    return load_paused(data)


async def pause_agents(connection: Connection, agents: Sequence[str] | None = None) -> Paused:
    """Let agents (default: all) begin no task until they are resumed; return who is paused then.

    What runs ends as it would. What is submitted waits, and no attempt is used. One that is paused
    already stays so since when it was. Raises UnknownAgent for one that is not deployed, before
    any is paused.
    """
    names = await _known(connection, agents)
    now = Pause(at_ms=connection.runner.now_ms(), by=connection.principal)
    after = await _record(connection, lambda old: {**dict.fromkeys(names, now), **old})
    await _switch(connection, names, on=False)
    return after


async def resume_agents(connection: Connection, agents: Sequence[str] | None = None) -> Paused:
    """Let agents (default: all) go on with what waits; return who is still paused.

    Raises UnknownAgent for one that is not deployed.
    """
    names = await _known(connection, agents)
    after = await _record(
        connection, lambda old: {name: one for name, one in old.items() if name not in names}
    )
    await _switch(connection, names, on=True)
    return after


async def _known(connection: Connection, agents: Sequence[str] | None) -> list[str]:
    await connection.with_catalogue()
    catalogue = connection.catalogue
    chosen = catalogue.agents if agents is None else agents
    return [catalogue.agent(name).name for name in chosen]


async def _record(connection: Connection, change: Callable[[dict[str, Pause]], Paused]) -> Paused:
    for _ in range(_TRIES):
        data, tag = await connection.blobs.read(PAUSED_KEY)
        old = load_paused(data)
        new = change(old)
        if new == old or await connection.blobs.swap(PAUSED_KEY, dump_paused(new), tag=tag):
            return new
        await connection.runner.sleep(0.05 + 0.2 * connection.runner.jitter())
    message = f"others change who is paused all the time: given up after {_TRIES} tries"
    raise Unreachable(message)


async def _switch(connection: Connection, agents: Sequence[str], *, on: bool) -> None:
    names = connection.names
    await connection.runner.gather(
        [
            connection.bus.deliver(
                names.queue(one, ordered=connection.catalogue.agent(one).ordered),
                function=names.function(one),
                on=on,
            )
            for one in agents
        ]
    )
