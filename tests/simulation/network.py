"""The network of a storm: one request on its way, and whatever may happen to it."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

from simulation.fault_plan import Fault
from simulation.process import Process
from sqswarm.schemas.errors import NotStorable, Unreachable
from sqswarm.schemas.writes import Refused

T = TypeVar("T")

_LATE_S = 120.0
_SLOW_S = 8.0
_PAUSE_S = 250.0
"""More than a lease (40 s) at almost every size, and than a visibility (210 s) at some."""
_LOSSES = {
    Fault.CRASH_BEFORE,
    Fault.CRASH_AFTER,
    Fault.CRASH_LATE,
    Fault.PAUSED,
    Fault.REPEATED_LATE,
}


async def request(  # noqa: C901, PLR0912, PLR0915 - a table of what may go wrong
    process: Process,
    name: str,
    subject: str,
    apply: Callable[[], T],
    *,
    part: Callable[[], object] | None = None,
    again: Callable[[], T] | None = None,
) -> T:
    """Send one request and return its answer, if the storm lets it.

    `part` carries out any part of a batch; `again` is what a repeat does where the service keeps
    the first answer (default: `apply`).
    """
    world = process.world
    process.check()
    apply, again = _signed(process, apply), _signed(process, again or apply)
    sent_s = world.loop.now
    number, misfortune = world.next_request(name)
    if misfortune is None:
        await world.loop.passing(world.latency())
        await _standing_still(process)
        answer = apply()
        world.note(process, name, subject, _shown(answer))
        await world.loop.passing(world.latency())
        await _standing_still(process)
        process.told(name, subject, sent_s)
        return answer
    process.misfortunes += 1
    fault, size = misfortune.what, misfortune.size
    if not process.mortal and fault in _LOSSES:
        fault = Fault.REFUSED
    await world.loop.passing(world.latency())
    await _standing_still(process)
    shown = f"!{fault.value} (request {number})"
    match fault:
        case Fault.CRASH_BEFORE:
            world.note(process, name, subject, shown)
            process.die("before a request")
        case Fault.CRASH_AFTER:
            world.note(process, name, subject, f"{shown}: {_shown(apply())}")
            process.die("after a request")
        case Fault.CRASH_LATE:
            _land_late(process, (name, subject, shown), size, apply)
            process.die("with a request under way")
        case Fault.REFUSED:
            world.note(process, name, subject, shown)
            raise Unreachable("throttled")
        case Fault.ANSWER_LOST:
            world.note(process, name, subject, f"{shown}: {_shown((part or apply)())}")
            await asyncio.sleep(_SLOW_S * size)
            raise Unreachable("no answer")
        case Fault.REPEATED:
            world.note(process, name, subject, f"{shown}: {_shown(apply())}")
            await asyncio.sleep(1 + size)
            process.check()
            answer = again()
            world.note(process, name, subject, f"again: {_shown(answer)}")
        case Fault.REPEATED_LATE:
            world.note(process, name, subject, f"{shown}: {_shown(apply())}")
            await _pause(process, size)
            answer = again()
            world.note(process, name, subject, f"again: {_shown(answer)}")
            if isinstance(answer, Refused):  # what stands there now, it is told
                sent_s = world.loop.now
        case Fault.ECHOED:
            answer = apply()
            _land_late(process, (name, subject, f"{shown}: {_shown(answer)}"), size, again)
        case Fault.LATE:
            _land_late(process, (name, subject, shown), size, apply)
            await asyncio.sleep(min(3.0, _LATE_S * size / 2))
            raise Unreachable("timed out")
        case Fault.SLOW:
            answer = apply()
            world.note(process, name, subject, f"{shown}: {_shown(answer)}")
            await asyncio.sleep(_SLOW_S * size)
        case Fault.PAUSED:
            world.note(process, name, subject, shown)
            await _pause(process, size)
            answer = apply()
            world.note(process, name, subject, _shown(answer))
    await world.loop.passing(world.latency())
    await _standing_still(process)
    process.told(name, subject, sent_s)
    return answer


def _signed(process: Process, apply: Callable[[], T]) -> Callable[[], T]:
    """Let the world know, while a request is carried out, whose it is."""

    def signed() -> T:
        process.world.writer = process
        try:
            return apply()
        finally:
            process.world.writer = None

    return signed


async def _pause(process: Process, size: float) -> None:
    process.pause(_PAUSE_S * size)
    await _standing_still(process)


async def _standing_still(process: Process) -> None:
    while process.paused_until_s > process.world.loop.now:  # noqa: ASYNC110 - it may be prolonged
        await asyncio.sleep(process.paused_until_s - process.world.loop.now)
    process.check()


def _land_late(
    process: Process, told: tuple[str, str, str], size: float, apply: Callable[[], object]
) -> None:
    name, subject, shown = told
    world = process.world
    late_s = _LATE_S * size**3  # mostly soon, where the races are
    world.note(process, name, subject, f"{shown} lands in {late_s:.2f} s")

    def land() -> None:
        try:
            answer: object = apply()
        except NotStorable as refused:
            answer = refused  # the store's answer to a request that nobody waits for any more
        world.note(process, name, subject, f"landed: {_shown(answer)}")

    world.loop.call_later(late_s, land)


def _shown(answer: object) -> object:
    """Return what the trace keeps of an answer; made readable only where a story is told."""
    return answer
