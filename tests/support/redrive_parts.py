"""What tasks are made of that tests redrive from a step: it notes what was done, and may break."""

from __future__ import annotations

from sqswarm import Fail, agent

DONE: list[str] = []
BROKEN = {"write": False, "part": set()}


def as_new():
    """Nothing is done, and the disk is full."""
    DONE.clear()
    BROKEN.update({"write": True, "part": set()})


def do(what):
    DONE.append(what)
    return what


def write(text):
    DONE.append("write")
    if BROKEN["write"]:
        raise ConnectionError("the disk is full")
    return f"wrote {text}"


@agent(max_attempts=1)
async def part(n: int) -> int:
    DONE.append(f"part {n}")
    if n in BROKEN["part"]:
        raise Fail(f"no {n}")
    return n
