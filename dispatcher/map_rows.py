"""Rows: what a map run is given, read one by one: a list, or a file here or on S3.

Files are read here, by whoever starts the run and with what that may read: an agent that read any
address for its callers would read for them what they may not.
"""

from __future__ import annotations

import csv
import tempfile
from collections.abc import AsyncGenerator, Iterable, Iterator
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import IO, Any

from sqswarm.dispatcher.connection import Connection
from sqswarm.schemas.errors import InvalidArguments, UsageError
from sqswarm.schemas.json import JsonObject, loads, loads_unambiguous

Source = Iterable[Any] | str | Path
"""Rows themselves, the path of a file, or `s3://bucket/key`."""

_A_PART = 8 * 1024 * 1024
_KINDS = (".jsonl", ".ndjson", ".csv", ".parquet")
_NUMBERS = {"integer": int, "number": float}
_TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}


@asynccontextmanager
async def open_rows(
    connection: Connection, source: Source, schema: JsonObject
) -> AsyncGenerator[Iterator[Any]]:
    """Open the rows of `source`, which are read as they are needed.

    A cell of CSV is what `schema`, the agent's, says of it. An object on S3 comes to a temporary
    file first. Raises UsageError for a file that is not there, or of no known kind.
    """
    if not isinstance(source, str | Path):
        yield iter(source)
        return
    name = str(source)
    kind = next((one for one in _KINDS if name.lower().endswith(one)), None)
    if kind is None:
        message = f"{name} is neither JSON Lines nor CSV"
        raise UsageError(message, hint=f"Name a file that ends in {', '.join(_KINDS)}.")
    if name.startswith("s3://"):
        with tempfile.TemporaryFile() as file:
            await _fetch(connection, name, file)
            file.seek(0)
            yield rows_of(file, kind, name, schema)
        return
    try:
        opened = Path(name).open("rb")  # noqa: ASYNC230, SIM115 - rows are read between two calls
    except OSError as error:
        message = f"{name}: {error.strerror or error}"
        raise UsageError(message, hint="Name a file that can be read.") from error
    with opened:
        yield rows_of(opened, kind, name, schema)


async def _fetch(connection: Connection, address: str, file: IO[bytes]) -> None:
    start = 0
    while True:
        data = await connection.blobs.read_part(address, start=start, limit=_A_PART)
        if data is None:
            message = f"there is nothing at {address}, or nothing that these credentials may read"
            raise UsageError(message, hint="Rows are read with the rights of who starts the run.")
        file.write(data)
        start += len(data)
        if len(data) < _A_PART:
            return


def rows_of(file: IO[bytes], kind: str, name: str, schema: JsonObject) -> Iterator[Any]:
    """Yield the rows of an open file called `name`; a `kind` is what such a name ends in."""
    if kind == ".parquet":
        return _of_parquet(file)
    lines = _decoded(file, name)
    return rows_of_csv(lines, name, schema) if kind == ".csv" else rows_of_lines(lines, name)


def _decoded(file: Iterable[bytes], name: str) -> Iterator[str]:
    """Yield lines as text; only a line feed ends one, and a byte order mark is no part of it."""
    encoding = "utf-8-sig"
    for number, line in enumerate(file, 1):
        try:
            yield line.decode(encoding)
        except UnicodeDecodeError as error:
            message = f"{name}, line {number} is not UTF-8: {error}"
            raise UsageError(message, hint="Save the file as UTF-8.") from error
        encoding = "utf-8"


def rows_of_lines(lines: Iterable[str], name: str) -> Iterator[JsonObject]:
    """Yield the objects of JSON Lines; raises UsageError naming the line that is none."""
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            row = loads_unambiguous(line)
        except ValueError as error:
            message = f"{name}, line {number} is not JSON: {error}"
            raise UsageError(message, hint="Each line holds one JSON object.") from error
        if not isinstance(row, dict):
            message = f"{name}, line {number} is not a JSON object"
            raise UsageError(message, hint='Write the arguments by name: {"text": "…"}.')
        yield row


def rows_of_csv(lines: Iterable[str], name: str, schema: JsonObject) -> Iterator[JsonObject]:
    """Yield the rows of CSV whose first line names the arguments.

    An empty cell is an argument that is left out, unless text is wanted. Raises UsageError for a
    row of another length.
    """
    reader = csv.DictReader(lines, strict=True)
    properties = schema.get("properties", {})
    try:
        for row in reader:
            if None in row or None in row.values():
                message = f"{name}, line {reader.line_num} has not as many cells as the first line"
                raise UsageError(message, hint="The first line names the columns.")
            yield dict(_cells(row, properties))
    except csv.Error as error:
        message = f"{name}, line {reader.line_num} is not CSV: {error}"
        raise UsageError(message, hint="Quote cells that hold commas or line ends.") from error


def _cells(row: dict[str, str], properties: JsonObject) -> Iterator[tuple[str, Any]]:
    for column, text in row.items():
        types = _types(properties.get(column, {}))
        if text or "string" in types or not types:
            yield column, _value(text, types)


def _types(wanted: JsonObject) -> list[str]:
    """Return the JSON types that a schema takes, as far as it says so itself."""
    one = wanted.get("type")
    own = [one] if isinstance(one, str) else list(one or ())
    return own + [kind for inner in wanted.get("anyOf", ()) for kind in _types(inner)]


def _value(text: str, types: list[str]) -> Any:
    """Return a cell as the first of the types that it can be; else as text: the check names it."""
    for kind in types:
        if kind in _NUMBERS:
            with suppress(ValueError):
                return _NUMBERS[kind](text)
        elif kind == "boolean" and text.lower() in _TRUTHS:
            return _TRUTHS[text.lower()]
        elif kind in {"array", "object"}:
            with suppress(ValueError):
                return loads(text)
        elif kind == "string":
            return text
    return text


def _of_parquet(file: IO[bytes]) -> Iterator[JsonObject]:
    try:
        from pyarrow.parquet import ParquetFile
    except ImportError as error:
        message = "rows of Parquet are read by pyarrow, which is not installed"
        raise UsageError(
            message, hint="pip install 'sqswarm[parquet]', or save them as JSON Lines."
        ) from error
    for batch in ParquetFile(file).iter_batches(batch_size=1000):
        yield from batch.to_pylist()


def key_of(row: JsonObject, item_key: Any, *, what: str) -> str:
    """Return a row's key, by its field or by a function; raises InvalidArguments for none."""
    found = item_key(row) if callable(item_key) else row.get(item_key)
    if isinstance(found, bool) or not isinstance(found, str | int) or found == "":
        name = "item_key" if callable(item_key) else f"the field {item_key!r}"
        message = f"{what} have no key: {name} is {found!r}, and text or a number is needed"
        raise InvalidArguments(message)
    return str(found)
