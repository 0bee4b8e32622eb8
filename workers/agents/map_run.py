"""The agent `map-run`: a run over many rows, each part of it a durable task.

run → spans of windows (where those are many) → windows of 1,000 rows at most → rows. A window
reads its rows from the bucket, runs them as its children and writes their results there as one
object; the tasks above it know counts alone. So a run of any length holds no more in memory, and
no more in a journal, than one window does.
"""

from __future__ import annotations

from typing import Any

from sqswarm.schemas import map_run as layout
from sqswarm.schemas.errors import ChildFailed, InvalidArguments, UndeclaredCall, UnknownAgent
from sqswarm.schemas.json import JsonObject, dumps, loads
from sqswarm.schemas.map_run import MAP_RUN
from sqswarm.schemas.payload import GONE
from sqswarm.schemas.results import error_object
from sqswarm.schemas.value import dataclass
from sqswarm.workers.agent import agent
from sqswarm.workers.durable.context import TaskContext
from sqswarm.workers.runtime.outcome import Fail


@agent(
    name=MAP_RUN,
    durability="durable",
    timeout=60,
    max_attempts=10,
    memory=512,
    batch=1,  # a window of large results is what one worker has room for
)
async def map_run(  # noqa: PLR0917 - they are passed by name, as every agent's are
    mapped: str,
    rows: str,
    total: int,
    windows: int,
    concurrency: int,
    tolerate: int,
    part: list[int] | None = None,
    run: str = "",
    *,
    ctx: TaskContext,
) -> dict[str, Any]:
    """Run the agent `mapped` on every row of an upload; `Swarm.start_map` submits it.

    `part` is which windows of the `run` this task sees to: all where it is the run itself.
    """
    first, last = part or (0, windows)
    whole = run or ctx.task_id
    if part is not None and last - first == 1:
        size = layout.Cut.of(concurrency).round_rows
        return await _window(ctx, mapped, Place(rows=rows, run=whole, window=first), size)
    shared: JsonObject = {"mapped": mapped, "rows": rows, "total": total, "windows": windows}
    done = failed = counted = 0
    for parts in layout.rounds(first, last, windows=layout.Cut.of(concurrency).windows):
        ended = await ctx.gather(
            *(
                ctx.task(
                    MAP_RUN,
                    **shared,
                    concurrency=concurrency,
                    tolerate=max(0, tolerate - failed),
                    part=list(one),
                    run=whole,
                )
                for one in parts
            ),
            return_exceptions=True,
        )
        for (start, stop), came in zip(parts, ended, strict=True):
            lost = isinstance(came, ChildFailed)
            part_counts = await _lost(ctx, rows, start, stop, came) if lost else came
            done += part_counts["done"]
            failed += part_counts["failed"]
        counted += len(parts)
        await ctx.expose({"done": done, "failed": failed, "counted": counted})
        if failed > tolerate:
            break
    counts: JsonObject = {"total": total, "done": done, "failed": failed}
    if part is None:
        results = ctx.worker.blobs.address(layout.prefix(whole))
        if failed > tolerate:
            message = (
                f"{failed:,} of {done:,} rows failed, of {total:,} in all, and {tolerate:,} may: "
                f"the lines are in {results}"
            )
            raise Fail(message, type="TooManyFailures")
        counts["results"] = results
    return counts


async def _lost(
    ctx: TaskContext, rows: str, start: int, stop: int, error: ChildFailed
) -> JsonObject:
    """Return the counts of a window whose task failed: all its rows have, and have no lines.

    Raises Fail where it was a span of windows, of which nobody can say that.
    """
    if stop - start > 1:
        raise Fail(f"windows {start} to {stop - 1}: {error}", type="WindowsLost") from error
    plan = await ctx.worker.blobs.get(ctx.worker.blobs.address(layout.plan_key(rows)))
    size = 0 if plan is None else loads(plan)["windows"][start]
    return {"done": size, "failed": size}


@dataclass(frozen=True, kw_only=True)
class Place:
    """Which window of which run this is, and of which upload its rows are."""

    rows: str
    run: str
    window: int


async def _window(ctx: TaskContext, mapped: str, place: Place, at_a_time: int) -> JsonObject:
    """Run a window's rows as child tasks and write their lines; return how many failed."""
    blobs = ctx.worker.blobs
    data = await blobs.get(blobs.address(layout.rows_key(place.rows, place.window)))
    if data is None:
        raise Fail(f"window {place.window} of {place.rows} {GONE}", type="PayloadExpired")
    kept = [loads(line) for line in data.splitlines()]
    to_run = [row for row in kept if "row" in row]
    ended: dict[int, Any] = {}
    for start in range(0, len(to_run), at_a_time):
        some = to_run[start : start + at_a_time]
        try:
            values = await ctx.gather(
                *(ctx.task(mapped, **row["row"]) for row in some), return_exceptions=True
            )
        except (InvalidArguments, UnknownAgent, UndeclaredCall) as refused:
            # Deployed since: the agent takes other arguments, or is no more.
            error = error_object(type(refused).__name__, str(refused))
            values = [ChildFailed("", mapped, error)] * len(some)
        ended.update({row["index"]: value for row, value in zip(some, values, strict=True)})
    lines = [_line(row, ended.get(row["index"])) for row in kept]
    failures = [line for line in lines if "error" in line]
    if failures:
        await blobs.put(layout.failures_key(place.run, place.window), _text(failures))
    await blobs.put(layout.results_key(place.run, place.window), _text(lines))
    return {"done": len(lines), "failed": len(failures)}


def _line(row: JsonObject, value: Any) -> JsonObject:
    line: JsonObject = {name: row[name] for name in ("index", "key", "duplicateOf") if name in row}
    if "row" not in row:
        return line
    if not isinstance(value, ChildFailed):
        return {**line, "value": value}
    task = {"taskId": value.task_id} if value.task_id else {}
    return {**line, **task, "error": value.error}


def _text(lines: list[JsonObject]) -> bytes:
    return "".join(dumps(line) + "\n" for line in lines).encode()
