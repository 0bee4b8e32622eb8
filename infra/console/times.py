"""Times and figures as people read them."""

from __future__ import annotations

from datetime import UTC, datetime

_STEPS = ((86_400, "d"), (3600, "h"), (60, "min"))


def exact(ms: int) -> str:
    """Return a Unix time (milliseconds) in UTC, to the millisecond."""
    moment = datetime.fromtimestamp(ms / 1000, UTC)
    return f"{moment:%Y-%m-%d %H:%M:%S}.{ms % 1000:03d} UTC"


def ago(ms: int, now_ms: int) -> str:
    """Return how long ago a Unix time (milliseconds) was, or in how long it will be."""
    seconds = (now_ms - ms) / 1000
    if abs(seconds) < 1:
        return "now"
    length = duration(abs(seconds), parts=1)
    return f"{length} ago" if seconds > 0 else f"in {length}"


def duration(seconds: float, *, parts: int = 2) -> str:
    """Return a length of time in its largest units."""
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 60:  # noqa: PLR2004 - a minute
        return f"{seconds:.0f} s" if parts == 1 or seconds >= 10 else f"{seconds:.1f} s"  # noqa: PLR2004
    left = int(seconds)
    said: list[str] = []
    for size, unit in (*_STEPS, (1, "s")):
        count, left = divmod(left, size)
        if count or said:
            said.append(f"{count} {unit}")
    return " ".join([*said[:1], *(one for one in said[1:parts] if not one.startswith("0 "))])


def dollars(micro_usd: int) -> str:
    """Return micro-dollars as dollars, with as many places as are needed to see something."""
    usd = micro_usd / 1_000_000
    return f"${usd:,.2f}" if usd >= 1 or not micro_usd else f"${usd:.4f}"
