"""JSON as it travels and is stored: compact, UTF-8, and never a NaN."""

from __future__ import annotations

import json
from typing import Any

JsonObject = dict[str, Any]
"""A JSON object; its values are whatever JSON has."""

_encode = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode
_encode_canonical = json.JSONEncoder(
    ensure_ascii=False, separators=(",", ":"), allow_nan=False, sort_keys=True
).encode


def dumps(value: Any) -> str:
    """Return compact JSON text.

    Raises TypeError for a value JSON does not know, ValueError for NaN and infinities:
    they are no JSON (RFC 8259 §6), and other languages refuse them.
    """
    return _encode(value)


def canonical(value: Any) -> str:
    """Return compact JSON text with sorted keys: equal values give equal text."""
    return _encode_canonical(value)


def loads(text: str | bytes) -> Any:
    """Return the value of JSON text; raises ValueError where it is none (NaN included)."""
    return json.loads(text, parse_constant=_refuse_constant)


def _refuse_constant(name: str) -> None:
    message = f"{name} is not JSON"
    raise ValueError(message)


def size_bytes(text: str) -> int:
    """Return the length of `text` in UTF-8 bytes."""
    return len(text) if text.isascii() else len(text.encode())
