"""Which tasks a listing is of, and where its next page begins."""

from __future__ import annotations

import base64
import re
import zlib
from collections.abc import Mapping
from dataclasses import field
from datetime import UTC, datetime, timedelta
from hashlib import sha256

from sqswarm.schemas.errors import UnknownCursor, UsageError
from sqswarm.schemas.json import dumps, loads
from sqswarm.schemas.lifecycle import Phase, Status
from sqswarm.schemas.tags import Tags, check_tags, wears
from sqswarm.schemas.task import TaskRecord
from sqswarm.schemas.value import dataclass

Moment = datetime | timedelta | str
"""A time: itself (one without a zone is UTC), how long ago, or text of either: `90m`, ISO 8601."""

PARKED = Phase.PARKED.value
"""Asked for as if it were a status: the `working` tasks that wait for code that fits."""

MOMENT_HINT = "Write 90s, 15m, 1h or 7d for so long ago, or a time like 2026-11-21T08:00:00Z."

_AGO = re.compile(r"([0-9]{1,9})([smhdw])")
_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400, "w": 604_800}
_MARK_BYTES = 4
_MARKS = 300
"""Tasks that a cursor remembers as shown: one that ran twice is met twice on the way back."""


def moment_ms_of(value: Moment, *, now_ms: int) -> int:
    """Return a time in Unix milliseconds; raises UsageError for text that is none."""
    if isinstance(value, str):
        if ago := _AGO.fullmatch(value.strip()):
            return now_ms - 1000 * int(ago[1]) * _UNITS_S[ago[2]]
        try:
            value = datetime.fromisoformat(value.strip())
        except ValueError as error:
            raise UsageError(f"{value!r} is no time", hint=MOMENT_HINT) from error
    if isinstance(value, timedelta):
        return now_ms - round(1000 * value.total_seconds())
    if value.tzinfo is None:
        value = value.replace(tzinfo=UTC)
    return round(1000 * value.timestamp())


@dataclass(frozen=True, kw_only=True)
class TaskFilter:
    """Which tasks are wanted; all that is given must fit.

    `since_ms` and `until_ms` (Unix milliseconds) are about when a task last began, ended, asked
    or was cancelled. `where` are tags it must have, `error_type` is a failed task's. `parked` are
    those that are `working` and wait for code that fits their journal.
    """

    status: Status | None = None
    parked: bool = False
    agent: str | None = None
    principal: str | None = None
    since_ms: int | None = None
    until_ms: int | None = None
    error_type: str | None = None
    where: Tags = field(default_factory=dict)

    @classmethod
    def of(
        cls,
        *,
        now_ms: int,
        status: Status | str | None = None,
        agent: str | None = None,
        principal: str | None = None,
        since: Moment | None = None,
        until: Moment | None = None,
        error_type: str | None = None,
        where: Mapping[str, str] | None = None,
    ) -> TaskFilter:
        """Return the filter that a caller describes; raises UsageError for what is none."""
        known = [*(one.value for one in Status), PARKED]
        if status is not None and status not in known:
            message = f"there is no status {str(status)!r}"
            raise UsageError(message, hint=f"Choose one of {', '.join(known)}.")
        return cls(
            status=_status(status),
            parked=status == PARKED,
            agent=agent,
            principal=principal,
            since_ms=None if since is None else moment_ms_of(since, now_ms=now_ms),
            until_ms=None if until is None else moment_ms_of(until, now_ms=now_ms),
            error_type=error_type,
            where=check_tags(where),
        )

    def fits(self, record: TaskRecord) -> bool:
        """Tell whether a task is wanted, its time apart."""
        return (
            self.status in {None, record.status}
            and (not self.parked or record.parked_now is not None)
            and self.agent in {None, record.agent}
            and self.principal in {None, record.principal}
            and self.error_type in {None, record.error_type}
            and wears(record.tags, self.where)
        )

    @property
    def fingerprint(self) -> int:
        """Return what tells this filter from others, times apart: they move from page to page."""
        told = [
            *(PARKED if self.parked else self.status, self.agent, self.principal),
            *(self.error_type, self.where),
        ]
        return zlib.crc32(dumps(told).encode())


def _status(given: Status | str | None) -> Status | None:
    if given is None:
        return None
    return Status.WORKING if given == PARKED else Status(given)


@dataclass(frozen=True, kw_only=True)
class Cursor:
    """Where a listing goes on: below `place`; `shown` tasks have been, those of `marks` lately."""

    place: str
    shown: int
    total: int | None
    marks: frozenset[bytes]

    def encode(self, wanted: TaskFilter) -> str:
        """Return it as opaque text."""
        marks = base64.b64encode(b"".join(sorted(self.marks))).decode()
        told = [wanted.fingerprint, self.place, self.shown, self.total, marks]
        return base64.urlsafe_b64encode(dumps(told).encode()).decode().rstrip("=")

    @classmethod
    def decode(cls, text: str, wanted: TaskFilter) -> Cursor:
        """Return the cursor in `text`; raises UsageError for one that this listing did not give."""
        try:
            raw = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
            fingerprint, place, shown, total, packed = loads(raw)
            marks = base64.b64decode(packed, validate=True)
            if fingerprint != wanted.fingerprint or not _PLACE.fullmatch(place):
                raise ValueError  # noqa: TRY301
            if not isinstance(shown, int) or not isinstance(total, int | None):
                raise TypeError  # noqa: TRY301
        except (ValueError, TypeError) as error:
            message = "the cursor is not one that this listing has given"
            raise UnknownCursor(message) from error
        steps = range(0, len(marks), _MARK_BYTES)
        return cls(
            place=place,
            shown=shown,
            total=total,
            marks=frozenset(marks[n : n + _MARK_BYTES] for n in steps),
        )


_PLACE = re.compile(r"[0-9]{13}#[ -~]{0,64}")


def mark_of(task_id: str) -> bytes:
    """Return what a cursor remembers of a task that was shown."""
    return sha256(task_id.encode()).digest()[:_MARK_BYTES]


def marks_of(task_ids: list[str], before: frozenset[bytes]) -> frozenset[bytes]:
    """Return the marks of the tasks shown last, as many as a cursor holds."""
    latest = [mark_of(task_id) for task_id in task_ids[-_MARKS:]]
    return frozenset([*latest, *sorted(before - {*latest})[: _MARKS - len(latest)]])
