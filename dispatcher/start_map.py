"""Start a map run: its rows are checked and uploaded in windows, then its task is submitted.

A caller who dies before that has started nothing. The task is the run: from then on nobody needs
the caller.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from hashlib import sha256
from typing import Any

from sqswarm.dispatcher.connection import Connection
from sqswarm.dispatcher.map_rows import Source, key_of, open_rows
from sqswarm.dispatcher.submit import (
    Request,
    Submitted,
    check_notify,
    idempotent_task_id,
    submit,
)
from sqswarm.dispatcher.validate import check_names
from sqswarm.dispatcher.view import find
from sqswarm.schemas.catalogue import CatalogueEntry
from sqswarm.schemas.errors import IdempotencyConflict, UnknownAgent, UsageError
from sqswarm.schemas.ids import new_task_id
from sqswarm.schemas.json import JsonObject, dumps
from sqswarm.schemas.map_run import (
    MAP_RUN,
    MODULE,
    UNDER_WAY,
    WINDOW_BYTES,
    Cut,
    plan_key,
    rows_key,
)

ItemKey = str | Callable[[JsonObject], Any]
"""A field of the rows, or what makes a key of a row."""

_TOGETHER = 4


async def start_map(
    connection: Connection,
    agent: str,
    source: Source,
    *,
    tolerate: float = 0,
    concurrency: int = UNDER_WAY,
    item_key: ItemKey | None = None,
    idempotency_key: str | None = None,
    tags: Mapping[str, str] | None = None,
    notify: str | Sequence[str] | None = None,
) -> Submitted:
    """Upload the rows of `source` and submit the run; raises InvalidArguments naming a bad row.

    Nothing is submitted before all of them are checked. Where there is a run of this
    `idempotency_key`, that is it, and nothing is read. Raises UnknownAgent where the stage has not
    deployed the agent, or no map runs, NotifyRefused where it does not tell whom is named.
    """
    entry = check_stage(connection, agent)
    check_notify(connection, connection.catalogue.agent(MAP_RUN), notify)
    _check(tolerate, concurrency)
    check_names(idempotency_key=idempotency_key)
    known: str | None = None
    if idempotency_key is not None:
        known = idempotent_task_id(connection.principal, MAP_RUN, idempotency_key)
        if await find(connection, known, agent=MAP_RUN) is not None:
            return Submitted(task_id=known, agent=MAP_RUN)
    async with open_rows(connection, source, entry.input_schema) as rows:
        entries = _entries(connection, entry, rows, item_key)
        upload, sizes = await upload_rows(connection, entries, Cut.of(concurrency))
    total = sum(sizes)
    arguments = {
        "mapped": agent,
        "rows": upload,
        "total": total,
        "windows": len(sizes),
        "concurrency": concurrency,
        "tolerate": allowed(tolerate, total),
    }
    request = Request(
        arguments=arguments,
        tags=tags,
        notify=notify,
        idempotency_key=idempotency_key,
        durable=True,
    )
    try:
        return (await submit(connection, MAP_RUN, [request]))[0]
    except IdempotencyConflict:
        if known is None:
            raise
        return Submitted(task_id=known, agent=MAP_RUN)  # somebody was faster, with another upload


def check_stage(connection: Connection, agent: str) -> CatalogueEntry:
    """Return the entry of a run's agent; raises UnknownAgent where the stage runs no map runs."""
    entry = connection.catalogue.agent(agent)
    if MAP_RUN not in connection.catalogue.agents:
        message = f"this stage runs no map runs: the agent {MAP_RUN!r} is not deployed"
        hint = f'Add "{MODULE}" to agents in [tool.sqswarm] of pyproject.toml, and deploy.'
        raise UnknownAgent(message, hint=hint)
    if agent == MAP_RUN:
        raise UsageError("a map run runs no map runs", hint="Start one run with all the rows.")
    return entry


def _check(tolerate: float, concurrency: int) -> None:
    if isinstance(tolerate, float) and not 0 <= tolerate <= 1:
        message = f"tolerate={tolerate} is no share of the rows"
        raise UsageError(message, hint="0.05 is a twentieth of the rows, 5 (no point) five rows.")
    if isinstance(tolerate, bool) or tolerate < 0:
        message = f"tolerate={tolerate} is neither a share nor a number of rows"
        raise UsageError(message, hint="0.05 is a twentieth of the rows, 5 (no point) five rows.")
    if concurrency < 1:
        message = f"concurrency={concurrency}: one row at least is under way"
        raise UsageError(message, hint="Leave it out, or give a number of rows.")


def allowed(tolerate: float, total: int) -> int:
    """Return how many of a run's rows may fail: a share of them (a float), or a number (an int)."""
    return int(tolerate * total + 1e-9) if isinstance(tolerate, float) else tolerate


async def _entries(
    connection: Connection, agent: CatalogueEntry, rows: Iterator[Any], item_key: ItemKey | None
) -> AsyncGenerator[JsonObject]:
    """Yield what the windows hold of each row: its index, its key, and its arguments.

    A row whose key came before is not run again: it only says whose it is.
    """
    validator = connection.validator(agent)
    seen: dict[int, int] = {}
    for index, row in enumerate(rows):
        what = f"arguments of row {index}"
        _, arguments = validator.encode(row, what=what)
        entry: JsonObject = {"index": index}
        if item_key is not None:
            key = entry["key"] = key_of(arguments, item_key, what=what)
            # A number of 12 bytes in place of the key: a million of them are to fit in memory.
            number = int.from_bytes(sha256(key.encode()).digest()[:12])
            first = seen.setdefault(number, index)
            if first != index:
                yield {**entry, "duplicateOf": first}
                continue
        yield {**entry, "row": arguments}


async def upload_rows(
    connection: Connection, entries: AsyncGenerator[JsonObject], cut: Cut
) -> tuple[str, list[int]]:
    """Put rows into the stage's bucket, a window an object; return the upload and their sizes."""
    runner, blobs = connection.runner, connection.blobs
    upload = new_task_id(runner.now_ms(), runner.random_bits)
    sizes: list[int] = []
    waiting: list[tuple[str, bytes]] = []

    async def put_all() -> None:
        await runner.gather([blobs.put(key, data) for key, data in waiting])
        waiting.clear()

    async for lines in _windows(entries, cut.rows):
        waiting.append((rows_key(upload, len(sizes)), "".join(lines).encode()))
        sizes.append(len(lines))
        if len(waiting) == _TOGETHER:
            await put_all()
    waiting.append((plan_key(upload), dumps({"windows": sizes}).encode()))
    await put_all()
    return upload, sizes


async def _windows(entries: AsyncGenerator[JsonObject], rows: int) -> AsyncGenerator[list[str]]:
    lines: list[str] = []
    size = 0
    async for entry in entries:
        line = dumps(entry) + "\n"
        if lines and (len(lines) == rows or size + len(line) > WINDOW_BYTES):
            yield lines
            lines, size = [], 0
        lines.append(line)
        size += len(line)
    if lines:
        yield lines
