"""The agents: `inspect_file` looks at one file, `gate` takes a release from start to end."""

from __future__ import annotations

from pathlib import Path

from pydantic import BaseModel, Field

from release_gate.measure import Measured, measure
from release_gate.report import report
from sqswarm import Fail, TaskContext, agent

COOL_DOWN_S = 2
"""After an approval there is time to change one's mind: an hour would cost nothing, either."""


class Decision(BaseModel):
    """What a person says to a release."""

    approved: bool
    note: str = Field(default="", description="Goes into the report.")


class Outcome(BaseModel):
    """How a release came out; `report` is where its report was written, empty if it was refused."""

    version: str
    files: int
    lines: int
    approved: bool
    report: str = ""


@agent(timeout=5, concurrency=8)
def inspect_file(path: str, text: str) -> Measured:
    """Count what one Python file has: lines, functions, missing docstrings, TODOs, branches."""
    return measure(path, text)


# A short time-out, so that a killed worker's task comes back soon; one task a worker, so that what
# kills one release kills no other.
@agent(timeout=5, batch=1, durability="durable", max_attempts=5)
async def gate(
    folder: str, version: str, out: str, limit: int = 100, *, ctx: TaskContext
) -> Outcome:
    """Look at a folder's largest Python files, ask a person, wait a moment, publish a report."""
    paths = await ctx.step("list the files", list_files, folder, limit)
    ctx.log.info("gate.listed", files=len(paths))

    rows = [{"path": path, "text": (Path(folder) / path).read_text()} for path in paths]
    found = [Measured.model_validate(one) for one in await ctx.map("inspect_file", rows)]

    summary = await ctx.step("sum up", sum_up, found)
    decision = await ctx.ask("release", f"{version}: {summary} Release it?", Decision)
    if not decision.approved:
        return Outcome(version=version, files=len(found), lines=lines_of(found), approved=False)

    await ctx.sleep(COOL_DOWN_S)
    written = await ctx.step("publish the report", report, out, version, found, decision.note)
    return Outcome(
        version=version, files=len(found), lines=lines_of(found), approved=True, report=written
    )


def list_files(folder: str, limit: int) -> list[str]:
    """Return a folder's largest Python files, relative to it; hidden folders are left out."""
    root = Path(folder)
    if not root.is_dir():
        raise Fail(f"{folder} is no folder", type="NoFolder")
    inside = [path.relative_to(root) for path in root.rglob("*.py") if path.is_file()]
    files = [path for path in inside if not any(part.startswith(".") for part in path.parts)]
    files.sort(key=lambda path: (-(root / path).stat().st_size, str(path)))
    return [str(path) for path in files[:limit]]


def sum_up(found: list[Measured]) -> str:
    """Say in one sentence what was found."""
    hardest = max(found, key=lambda one: one.branches, default=None)
    worst = f"; hardest: {hardest.hardest}() in {hardest.path}" if hardest else ""
    return (
        f"{len(found)} files, {lines_of(found):,} lines, "
        f"{sum(one.undocumented for one in found)} functions without a docstring, "
        f"{sum(one.marks for one in found)} TODOs{worst}."
    )


def lines_of(found: list[Measured]) -> int:
    """Return how many lines the files have together."""
    return sum(one.lines for one in found)
