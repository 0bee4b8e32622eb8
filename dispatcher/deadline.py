"""Deadline: until when a task has to be begun, and gone on with, said by whoever submits it."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from math import isfinite

from sqswarm.schemas.errors import UsageError
from sqswarm.schemas.task import iso

Deadline = float | timedelta | datetime
"""Seconds or a time from now, or a moment with its zone."""

_FROM_NOW = re.compile(r"([0-9]{1,9})([smhd])")
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_LONGEST_S = 100 * 366 * 86_400


def deadline_of(text: str | None) -> Deadline | None:
    """Return the deadline that text names, as "15m" or a time (in UTC, where it has no zone).

    Raises UsageError.
    """
    if text is None:
        return None
    if found := _FROM_NOW.fullmatch(text.strip()):
        return float(found[1]) * _UNITS_S[found[2]]
    try:
        moment = datetime.fromisoformat(text.strip())
    except ValueError as error:
        hint = "Write 90s, 15m, 1h or 2d from now, or a time like 2026-12-01T08:00:00Z."
        raise UsageError(f"{text!r} is no time", hint=hint) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def deadline_text(deadline: Deadline | None, *, now_ms: int, delay_s: int = 0) -> str | None:
    """Return a deadline as messages and records have it; None where there is none.

    Raises UsageError for what is no such time, and for one before the task may begin.
    """
    if deadline is None:
        return None
    at_ms = _at_ms(deadline, now_ms)
    if at_ms is None:
        message = f"deadline={deadline!r} is no seconds, timedelta or datetime with a zone"
        raise UsageError(
            message, hint="Like deadline=60, or datetime.now(UTC) + timedelta(minutes=1)."
        )
    if at_ms <= now_ms + 1000 * delay_s:
        message = f"the deadline {iso(at_ms)} is over before the task could begin"
        raise UsageError(message, hint="Submit with a later deadline, or with none.")
    return iso(at_ms)


def _at_ms(deadline: object, now_ms: int) -> int | None:
    if isinstance(deadline, datetime):
        if deadline.tzinfo is None:
            return None
        return round(1000 * deadline.astimezone(UTC).timestamp())
    seconds = deadline.total_seconds() if isinstance(deadline, timedelta) else deadline
    if isinstance(seconds, bool) or not isinstance(seconds, int | float):
        return None
    if not isfinite(seconds) or seconds > _LONGEST_S:
        return None
    return now_ms + round(1000 * seconds)
