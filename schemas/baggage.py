"""Baggage: small text that travels with a task and on to its children (W3C Baggage).

MCP reserves `baggage` in `_meta` for it, beside `traceparent` and `tracestate`. Whoever submits
says what is in it and nobody has proved it: it is for routing and labels, not for permissions.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from urllib.parse import quote, unquote

BAGGAGE_LIMIT = 2_048
"""Characters. W3C lets it be 8,192; it lies in the message and in the record."""

_NAME = re.compile(r"[!#$%&'*+\-.^_`|~0-9A-Za-z]+")
_PRINTABLE = re.compile(r"[\x20-\x7e]*")
_SAFE = "!#$&'()*+-./:<=>?@[]^_`{|}~"


def baggage_text(entries: Mapping[str, str]) -> str | None:
    """Return entries as the header's text, None for none.

    Raises ValueError for a name that is no token (RFC 9110), a value that is no text, and for more
    than BAGGAGE_LIMIT characters.
    """
    for name, value in entries.items():
        if not (isinstance(name, str) and _NAME.fullmatch(name) and isinstance(value, str)):
            message = f"baggage {name!r}: {value!r} is no token with a text"
            raise ValueError(message)
    text = ",".join(f"{name}={quote(value, safe=_SAFE)}" for name, value in entries.items())
    if len(text) > BAGGAGE_LIMIT:
        message = f"baggage has {len(text):,} characters; {BAGGAGE_LIMIT:,} are possible"
        raise ValueError(message)
    return text or None


def baggage_entries(text: str | None) -> dict[str, str]:
    """Return the entries in a header's text, their properties left out; what has no form is too."""
    entries = {}
    for member in (text or "").split(","):
        name, equals, value = member.partition(";")[0].partition("=")
        if equals and _NAME.fullmatch(name.strip()):
            entries[name.strip()] = unquote(value.strip())
    return entries


def is_header(text: object) -> bool:
    """Tell whether `text` can travel as `baggage` or `tracestate`: printable, and not too long."""
    return (
        isinstance(text, str)
        and len(text) <= BAGGAGE_LIMIT
        and _PRINTABLE.fullmatch(text) is not None
    )
