"""JSON as it travels and is stored: compact UTF-8, within limits that every entrance shares.

What is refused here is refused before it is written or published, with its place in the value:
other languages, SQS, DynamoDB or another version of Python would refuse it later, where it would
take its neighbours with it. One table:

| what | limit | who refuses it otherwise |
|---|---|---|
| nesting of a value | NESTING_LIMIT (what it travels in may add ENVELOPE_LEVELS) | json.loads, at a depth that differs from version to version |
| numbers | finite as a double: no NaN, no Infinity, no 1e999, no integer beyond 1.8e308 | RFC 8259 §6; Python over 4,300 digits |
| text | no lone surrogates, in keys and values | UTF-8 |
| U+FFFE, U+FFFF | escaped in what is encoded | SQS takes XML 1.0's characters |
| names (principal, session, ordering key, ...) | NAME_LIMIT_BYTES of printable text, see `name_fault` | SNS and SQS attributes, keys of DynamoDB |
"""  # noqa: E501 - a table

from __future__ import annotations

import json
import math
import re
import sys
from collections.abc import Iterator
from typing import Any

JsonObject = dict[str, Any]
"""A JSON object; its values are whatever JSON has."""

NESTING_LIMIT = 64
"""Objects and lists within one another, in what anybody passes, returns, answers or says."""

ENVELOPE_LEVELS = 16
"""Levels that a value may gain by what it travels or is stored in: messages, plans, HTTP bodies."""

NAME_LIMIT_BYTES = 1024

_ENCLOSED = NESTING_LIMIT + ENVELOPE_LEVELS
_LARGEST = int(sys.float_info.max)
_PLACE_SHOWN = 200

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode
_encode_canonical = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), allow_nan=False, sort_keys=True
).encode
_decode = json.JSONDecoder().decode

# Cheap looks at the text, at C's speed. They are seldom true of a value within the limits; then all
# of it is walked through, which is exact and names the place.
_NUMBERS_ALIKE = bytes.maketrans(b"123456789E", b"000000000e")
_BRACKETS_ALIKE = bytes.maketrans(b"{}", b"[]")
_NO_BRACKET = bytes(c for c in range(256) if c not in b'[]{}"')
_LONG = b"0" * 200
_ESCAPE = re.compile(rb"\\.", re.DOTALL)
_SURROGATE_ESCAPE = re.compile(rb"\\u[dD][89a-fA-F]")
_STRING = re.compile(rb'"[^"]*"')
_UNPRINTABLE = re.compile("[\x00-\x1f\x7f\ud800-\udfff\ufffe\uffff]")


class JsonLimitError(ValueError):
    """A value is no JSON, or JSON over a limit; the message names its place."""


def dumps(value: Any, *, place: str = "", nesting: int = _ENCLOSED) -> str:
    """Return compact JSON text.

    Raises JsonLimitError for what JSON does not know or a limit refuses; `place` is what the
    value is called in it. Somebody's own value is held to `nesting=NESTING_LIMIT`.
    """
    try:
        text = _encode(value)
    except (TypeError, ValueError, RecursionError):
        _look_through(value, place, nesting)
        raise
    return _within(text, value, place, nesting)


def canonical(value: Any) -> str:
    """Return compact JSON text with sorted keys: equal values give equal text."""
    try:
        text = _encode_canonical(value)
    except (TypeError, ValueError, RecursionError):
        _look_through(value, "", _ENCLOSED)
        raise
    return _within(text, value, "", _ENCLOSED)


def _within(text: str, value: Any, place: str, nesting: int) -> str:
    raw = _encoded(text)
    if raw is None or _is_deeper(raw, nesting) or _LONG in raw.translate(_NUMBERS_ALIKE):
        _look_through(value, place, nesting)
    if text.isascii():
        return text
    return text.replace("\ufffe", "\\ufffe").replace("\uffff", "\\uffff")


def loads(text: str | bytes, *, place: str = "", nesting: int = _ENCLOSED) -> Any:
    """Return the value of JSON text; raises ValueError where it is none or over a limit."""
    if not isinstance(text, str):
        text = text.decode(json.detect_encoding(text))
    raw = _encoded(text)
    if _is_deeper(text.encode(errors="replace") if raw is None else raw, nesting):
        message = f"{place or 'the text'} is nested deeper than {nesting} levels"
        raise JsonLimitError(f"{message}, at character {_deepest(text, nesting)}")
    if raw is not None and not _is_suspect(raw):
        return _decode(text)
    value = json.loads(text, parse_int=_integer)
    _look_through(value, place, nesting)
    return value


def loads_unambiguous(text: str | bytes) -> Any:
    """Return the value of JSON that somebody wrote or signed, as `loads` does.

    Raises ValueError too where an object has a name twice: which one counts is a guess that
    every reader makes for itself (RFC 8259 §4).
    """
    value = loads(text)
    json.loads(text, object_pairs_hook=_refuse_doubled)
    return value


def _refuse_doubled(pairs: list[tuple[str, Any]]) -> JsonObject:
    found = dict(pairs)
    if len(found) != len(pairs):
        names = [name for name, _ in pairs]
        doubled = next(name for name in names if names.count(name) > 1)
        raise JsonLimitError(f"an object has the name {doubled!r:.60} twice")
    return found


def _is_suspect(raw: bytes) -> bool:
    """Tell whether JSON text may hold half a character, or a number that no double holds."""
    if b"\\u" in raw and _SURROGATE_ESCAPE.search(raw):
        return True
    alike = raw.translate(_NUMBERS_ALIKE)
    return (
        b"0e000" in alike
        or b"0e+000" in alike
        or b"NaN" in alike
        or b"Infinity" in alike
        or _LONG in alike
    )


def _integer(digits: str) -> int | float:
    """Return an integer, infinity where that has more digits than a double has place for."""
    return int(digits) if len(digits) < 400 else math.inf  # noqa: PLR2004 - over 309 and a sign


def _encoded(text: str) -> bytes | None:
    """Return UTF-8, None where half a character keeps text from it."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return None


def _is_deeper(raw: bytes, limit: int) -> bool:
    """Tell whether JSON text is nested deeper than `limit`, without recursion.

    Each round takes the innermost brackets out of what is left of it.
    """
    if raw.count(b"[") + raw.count(b"{") <= limit:
        return False
    if b"\\" in raw:
        raw = _ESCAPE.sub(b"", raw)
    brackets = raw.translate(_BRACKETS_ALIKE, _NO_BRACKET)
    # Quotes that meet are a string without brackets, or two strings that become one.
    brackets = _STRING.sub(b"", brackets.replace(b'""', b""))
    for _ in range(limit):
        fewer = brackets.replace(b"[]", b"")
        if len(fewer) == len(brackets):
            break
        brackets = fewer
    return b"[]" in brackets or brackets.count(b"[") > limit


def _deepest(text: str, limit: int) -> int:
    depth = 0
    for token in re.finditer(r'"[^"\\]*(?:\\.[^"\\]*)*"|[][{}]', text, re.DOTALL):
        depth += {"[": 1, "{": 1, "]": -1, "}": -1}.get(token[0], 0)
        if depth > limit:
            return token.start()
    return len(text)


def _look_through(value: Any, place: str, nesting: int) -> None:
    """Raise JsonLimitError for the first place of a value that is over a limit, if there is one."""
    left: list[tuple[Any, str, int]] = [(value, place, 0)]
    while left:
        one, at, depth = left.pop()
        if isinstance(one, dict | list | tuple):
            if depth == nesting:
                _refuse(at, f"is nested deeper than {nesting} levels")
            left += reversed([(inner, name, depth + 1) for name, inner in _parts(one, at)])
        elif isinstance(one, str):
            if _encoded(one) is None:
                _refuse(at, "holds a lone surrogate, half of a character")
        elif isinstance(one, int | float):
            if not -_LARGEST <= one <= _LARGEST:
                _refuse(at, "is not a finite number: NaN, Infinity, or beyond 1.8e308")
        elif one is not None:
            _refuse(at, f"is a {type(one).__name__}: JSON has no such value")


def _parts(one: Any, at: str) -> Iterator[tuple[str, Any]]:
    """Yield the parts of an object or list, each with its place; raises for a wrong key."""
    if not isinstance(one, dict):
        yield from ((f"{at}[{n}]", inner) for n, inner in enumerate(one))
        return
    for key, inner in one.items():
        if isinstance(key, str) and key.isidentifier():
            name = f"{at}.{key}" if at else key
        else:
            name = f"{at}[{key!r:.60}]"
        if not isinstance(key, str | int | float | None) or key != key:  # noqa: PLR0124 - NaN
            _refuse(name, "has a key that is not text")
        if isinstance(key, str) and _encoded(key) is None:
            _refuse(name, "has a lone surrogate in its key, half of a character")
        yield name, inner


def _refuse(at: str, why: str) -> None:
    shown = at if len(at) <= _PLACE_SHOWN else f"{at[:_PLACE_SHOWN]}…"
    raise JsonLimitError(f"{shown or 'the value'} {why}")


def size_bytes(text: str) -> int:
    """Return the length of `text` in UTF-8 bytes."""
    return len(text) if text.isascii() else len(text.encode())


def name_fault(text: str) -> str | None:
    """Return what keeps a text from being a name that travels, if anything does.

    A principal, session, ordering key or topic stands in attributes of messages and in keys.
    """
    if not text:
        return "is empty"
    if found := _UNPRINTABLE.search(text):
        return f"holds the character U+{ord(found[0]):04X}"
    if size_bytes(text) > NAME_LIMIT_BYTES:
        return f"has {size_bytes(text):,} bytes; {NAME_LIMIT_BYTES:,} are possible"
    return None


def encodable(text: str) -> str:
    """Return a text that somebody else's code has written, with `?` for lone surrogates."""
    return text if text.isascii() else text.encode(errors="replace").decode()
