"""Lengths of time as people write them: `30s`, `10m`, `2h`, `1d`."""

from __future__ import annotations

import re

from sqswarm.schemas.errors import UsageError

_LENGTH = re.compile(r"([0-9]+)([smhd])")
_SECONDS = {"s": 1, "m": 60, "h": 3600, "d": 86_400}


def seconds_of(text: str, *, option: str) -> int:
    """Return the seconds of a length of time; raises UsageError for what is none."""
    length = _LENGTH.fullmatch(text)
    if length is None:
        message = f"{option} {text!r} is no length of time"
        raise UsageError(message, hint="Write 30s, 10m, 2h or 1d.")
    return int(length[1]) * _SECONDS[length[2]]
