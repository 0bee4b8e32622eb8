"""The release gate's agents, with workers that kill themselves where the version says.

A version `1.0 after:3` dies once, by SIGKILL, after the third operation of a run. What was to be
killed, and what each step did, is noted beside the report.
"""

import os
import re
import signal
from contextvars import ContextVar
from pathlib import Path

from release_gate import agents as gates
from release_gate.agents import gate, inspect_file

from sqswarm.workers.durable.context import TaskContext

__all__ = ["gate", "inspect_file"]

_POINT: ContextVar[tuple[str, int, Path] | None] = ContextVar("point", default=None)
_DONE: ContextVar[list[int] | None] = ContextVar("done", default=None)
_FOLDER: ContextVar[Path | None] = ContextVar("folder", default=None)


def _at(when: str, number: int) -> None:
    """Die here if this is the place, once for the whole task."""
    point = _POINT.get()
    if point is None or point[:2] != (when, number) or point[2].exists():
        return
    point[2].write_text(f"killed {when} {number}\n")
    os.kill(os.getpid(), signal.SIGKILL)


def mortal(method):
    """Count a context's operations, and die before or after one."""

    async def operation(self, *given, **named):
        done = _DONE.get()
        done[0] += 1
        number = done[0]
        _at("before", number)
        value = await method(self, *given, **named)
        _at("after", number)
        return value

    return operation


def noted(name):
    """Note each time that a step's function is really called."""
    real = getattr(gates, name)

    def call(*given):
        with (_FOLDER.get() / "steps").open("a") as file:
            file.write(f"{name}\n")
        return real(*given)

    setattr(gates, name, call)


for _name in ("step", "map", "ask", "sleep"):
    if "SQSWARM_AGENT" in os.environ:
        setattr(TaskContext, _name, mortal(getattr(TaskContext, _name)))
for _name in ("list_files", "sum_up", "report"):
    if "SQSWARM_AGENT" in os.environ:
        noted(_name)

_real = gate.function


async def _mortal(folder: str, version: str, out: str, limit: int = 100, *, ctx: TaskContext):
    place = re.search(r"(before|after):(\d)", version)
    aside = Path(out).parent
    _FOLDER.set(aside)
    _DONE.set([0])
    if place:
        _POINT.set((place[1], int(place[2]), aside / "killed"))
    return await _real(folder, version, out, limit, ctx=ctx)


if "SQSWARM_AGENT" in os.environ:
    gate.function = _mortal
