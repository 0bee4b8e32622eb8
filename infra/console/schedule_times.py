"""When schedules are due: EventBridge's `cron(…)` and `rate(…)` expressions, in UTC."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

_RATE = re.compile(r"rate\(\s*([0-9]+)\s+(minute|hour|day)s?\s*\)")
_CRON = re.compile(r"cron\((.+)\)")


def next_tick(expression: str, last: datetime | None, now: datetime) -> datetime | None:
    """Return when a schedule is due next; None where that cannot be told.

    A rate counts from when its rule was made, so its last tick has to be known.
    """
    if rate := _RATE.fullmatch(expression.strip()):
        if last is None:
            return None
        step = timedelta(**{f"{rate[2]}s": int(rate[1])})
        return last + step * (max((now - last) // step, 0) + 1) if step else None
    if cron := _CRON.fullmatch(expression.strip()):
        from pyawscron.awscron import AWSCron

        try:
            found: datetime | None = AWSCron(cron[1].strip()).occurrence(now.astimezone(UTC)).next()
        except Exception:  # it raises Exception itself: for what it does not understand
            return None
        return found
    return None
