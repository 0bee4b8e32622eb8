"""kill_everywhere: one story, its workers killed at each of its moments in turn."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from types import ModuleType
from typing import TypeVar

from sqswarm.testing.faults import Kill
from sqswarm.testing.memory_swarm import MemorySwarm
from sqswarm.workers.agent import AnyAgent

T = TypeVar("T")


def kill_everywhere(
    story: Callable[[MemorySwarm], T], *agents: AnyAgent | Iterable[AnyAgent] | ModuleType
) -> T:
    """Tell `story` unharmed, then once for each moment with its worker killed there.

    Each time it gets a fresh memory swarm of `agents`. Returns what it returned unharmed. Raises
    AssertionError, naming the moment, where it returns something else or raises.
    """
    with MemorySwarm(*agents) as memory:
        unharmed = story(memory)
        moments = list(memory.moments)
    for moment in moments:
        with MemorySwarm(*agents, faults=[Kill(at=moment.number)]) as memory:
            try:
                killed = story(memory)
            except Exception as error:
                message = f"killed {moment}: {type(error).__name__}: {error}\n{memory.report()}"
                raise AssertionError(message) from error
            if killed != unharmed:
                message = f"killed {moment}: {killed!r}, and unharmed: {unharmed!r}"
                raise AssertionError(f"{message}\n{memory.report()}")
            if memory.faults.left:
                message = f"killed {moment}: another run did not come there"
                raise AssertionError(f"{message}\n{memory.report()}")
    return unharmed
