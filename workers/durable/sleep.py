"""Sleeps: an agent suspends until a time, and goes on when it is resumed."""

from __future__ import annotations

from datetime import timedelta

from sqswarm.schemas.journal import SLEEP_LIMIT_S
from sqswarm.workers.durable.journal import Journal
from sqswarm.workers.durable.journal_entry import sleep_name
from sqswarm.workers.runtime.outcome import Fail, SleepWait

EARLY_MS = 2000
"""A sleeper that is woken this much early by another's clock is awake."""


async def run_sleep(journal: Journal, length: float | timedelta) -> None:
    """Suspend until `length` from when this sleep was first met; return at once after that.

    A length is of seconds, or a timedelta.
    """
    seconds = length.total_seconds() if isinstance(length, timedelta) else length
    if not isinstance(seconds, int | float):
        message = f"{seconds!r} is no length of a sleep: give seconds, or a timedelta"
        raise Fail(message, type="InvalidSleep")
    if not 0 <= seconds <= SLEEP_LIMIT_S:
        message = f"a sleep of {seconds} s; 0 to {SLEEP_LIMIT_S} are possible"
        raise Fail(message, type="InvalidSleep")
    await sleep_under(journal, str(journal.number("sleep")), seconds)


async def sleep_under(journal: Journal, name: str, seconds: float) -> None:
    """Sleep under a name of one's own; once it is recorded, `seconds` no longer count."""
    async with journal.operation([sleep_name(name)]) as (operation, found):
        recorded = found.get(sleep_name(name))
        now = journal.worker.now_ms()
        until_ms = now + round(1000 * seconds) if recorded is None else recorded.until_ms
        if recorded is None or until_ms > now + EARLY_MS:
            await journal.suspend(operation, [SleepWait(name=name, until_ms=until_ms)])
