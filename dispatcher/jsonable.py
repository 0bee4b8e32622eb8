"""Values of Python's own types as JSON: models, dataclasses, dates, enums, UUIDs, decimals.

pydantic turns them, as it does what agents return. It is loaded only for a value that is not JSON
already: most are, and a worker that starts child tasks with plain arguments starts without it.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator, Mapping
from typing import Any

from sqswarm.schemas.json import NESTING_LIMIT, JsonLimitError, dumps

_MISSING = object()


def encoded(value: Any, *, place: str) -> tuple[str, Any]:
    """Return the JSON text of a value, and the value as JSON has it.

    A value that is JSON already is returned as it is. Raises ValueError that names the part which
    cannot be turned into JSON, or is over JSON's limits.
    """
    try:
        return dumps(value, place=place, nesting=NESTING_LIMIT), value
    except (TypeError, ValueError, RecursionError):
        plain = jsonable(value, place=place)
        return dumps(plain, place=place, nesting=NESTING_LIMIT), plain


def jsonable(value: Any, *, place: str) -> Any:
    """Return a value as JSON has it; raises JsonLimitError that names what cannot be turned."""
    try:
        turned = _turned(value)
    except (TypeError, ValueError, RecursionError) as error:
        at, part = _culprit(value, place, depth=0)
        message = f"{at} is {_said(part)}: it cannot be turned into JSON"
        raise JsonLimitError(message) from error
    if (unordered := _unordered(value, place)) is not None:
        message = f"{unordered} has no order that lasts: pass a list, sorted"
        raise JsonLimitError(message)
    return turned


def _unordered(value: Any, place: str) -> str | None:
    """Return the place of a set or a stream: twice turned, they are not the same arguments.

    An idempotency key and a replay of a parent would find others than the first time.
    """
    left = [(place, value)]
    while left:
        at, part = left.pop()
        if isinstance(part, set | frozenset | Iterator):
            return at
        left += reversed([*_parts(part, at)])
    return None


def _turned(value: Any) -> Any:
    from pydantic_core import to_jsonable_python

    return to_jsonable_python(value)


def _culprit(value: Any, place: str, *, depth: int) -> tuple[str, Any]:
    """Return the innermost part that cannot be turned, and its place."""
    if depth < NESTING_LIMIT:
        for at, part in _parts(value, place):
            try:
                _turned(part)
            except (TypeError, ValueError, RecursionError):
                return _culprit(part, at, depth=depth + 1)
    return place, value


def _parts(value: Any, place: str) -> Iterator[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, part in value.items():
            is_name = isinstance(key, str) and key.isidentifier()
            yield f"{place}.{key}" if is_name else f"{place}[{key!r:.60}]", part
    elif isinstance(value, list | tuple):
        yield from ((f"{place}[{number}]", part) for number, part in enumerate(value))
    elif dataclasses.is_dataclass(value) and not isinstance(value, type):
        for field in dataclasses.fields(value):
            part = getattr(value, field.name, _MISSING)
            if part is not _MISSING:
                yield f"{place}.{field.name}", part
    elif hasattr(type(value), "model_fields"):
        yield from ((f"{place}.{name}", part) for name, part in vars(value).items())


def _said(part: Any) -> str:
    if isinstance(part, str):
        return "text that holds half of a character"
    kind = type(part)
    home = "" if kind.__module__ == "builtins" else f"{kind.__module__}."
    return f"of type {home}{kind.__qualname__}"
