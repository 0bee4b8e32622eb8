"""A task's history: one entry an attempt, kept in its record by writes that happen anyway.

An acquire sets `began`; every write that ends an attempt moves it into `history`. Where a worker
was lost between the two, the next acquire finds `began` and enters the attempt as lost; what nobody
acquires any more keeps it, and `attempts` says what became of it.
"""

from __future__ import annotations

from base64 import urlsafe_b64decode, urlsafe_b64encode
from enum import StrEnum
from typing import TYPE_CHECKING, Any

from sqswarm.schemas.json import JsonObject, dumps, encodable, loads, size_bytes
from sqswarm.schemas.lifecycle import ASIDE, Status
from sqswarm.schemas.value import dataclass

if TYPE_CHECKING:  # records are made of what stands here
    from sqswarm.schemas.task import TaskRecord

FIRST_KEPT = 10
LAST_KEPT = 40
"""Attempts kept in a record, the first and the last; between them the number that is left out."""

ERROR_LIMIT_BYTES = 200
_TYPE_LIMIT_BYTES = 80
_NAME_LIMIT_BYTES = 64
_NOTHING = [None] * 6
_UUID_CHARACTERS = 36
_SHORT_CHARACTERS = 22


class AttemptOutcome(StrEnum):
    """How an attempt ended."""

    COMPLETED = "completed"
    FAILED = "failed"
    RETRIED = "retried"
    """It failed, and another was to follow."""
    SUSPENDED = "suspended"
    """It waits for children, people or time."""
    HANDED_BACK = "handed-back"
    """Its worker was told to stop."""
    LOST = "lost"
    """Its worker died, or could not write down how it ended."""
    PARKED = "parked"
    """The code did otherwise than is recorded: the task waits for code that fits."""
    CANCELLED = "cancelled"
    UNDONE = "undone"
    """It undid what the task's steps had done, and ended the task."""


WAITS = frozenset({AttemptOutcome.SUSPENDED, AttemptOutcome.PARKED})
"""Outcomes after which a task waits for something."""

_CODES = {
    **{one.value[0]: one for one in AttemptOutcome if one is not AttemptOutcome.CANCELLED},
    "x": AttemptOutcome.CANCELLED,
}
_CODE_OF = {outcome: code for code, outcome in _CODES.items()}


@dataclass(frozen=True, kw_only=True)
class RecordedAttempt:
    """One attempt. Times are Unix milliseconds of the worker's clock; `ended_ms` None: it runs.

    A lost one ended at the latest when its lease did. `resumed_ms` is when the wait before it was
    over, where there was one; `version` what its agent declares. The error of a failed task's last
    attempt stands in its record.
    """

    attempt: int
    began_ms: int
    ended_ms: int | None
    outcome: AttemptOutcome | None
    resumed_ms: int | None = None
    worker: str = ""
    request_id: str = ""
    error_type: str | None = None
    error: str | None = None
    version: str = ""


@dataclass(frozen=True, kw_only=True)
class Attempts:
    """A task's attempts, oldest first; `left_out` more came after the first `FIRST_KEPT`."""

    attempts: tuple[RecordedAttempt, ...] = ()
    left_out: int = 0


def began(at_ms: int, worker: str, request_id: str, version: str = "") -> str:
    """Return what an acquire notes: when, which worker, by which request, which code.

    `<ms> <worker> <id> <version>`, what is not known left empty.
    """
    names = (_name(worker), _short(_name(request_id)), _name(version))
    return " ".join([str(at_ms), *names]).rstrip()


def brief(text: str, limit_bytes: int) -> str:
    """Return a text on one line, cut so that it takes at most so many bytes as JSON."""
    text = encodable(" ".join(text.split()))[:limit_bytes]
    while size_bytes(dumps(text)) > limit_bytes + 2:
        text = text[: len(text) * 7 // 8]
    return text


def with_attempt(
    record: TaskRecord | None,
    began: str,
    *,
    attempt: int,
    ended_ms: int,
    outcome: AttemptOutcome,
    error_type: str | None = None,
    error: str | None = None,
) -> str:
    """Return the history of `record` (None: it has none) with one more attempt, as JSON text."""
    kept = _kept(record)
    at_ms, worker, request_id, version = _parts(began)
    resumed_ms = _resumed_ms(kept, record)
    entry: list[Any] = [
        *(attempt, at_ms, ended_ms - at_ms, _CODE_OF[outcome], worker, request_id),
        None if resumed_ms is None else at_ms - resumed_ms,
        None if error_type is None else brief(error_type, _TYPE_LIMIT_BYTES),
        None if error is None else brief(error, ERROR_LIMIT_BYTES),
        version,
    ]
    while entry[-1] in {None, ""}:
        entry.pop()
    kept.append(entry)
    left_out = sum(one for one in kept if isinstance(one, int))
    kept = [one for one in kept if not isinstance(one, int)]
    while len(kept) > FIRST_KEPT + LAST_KEPT:
        kept.pop(FIRST_KEPT)
        left_out += 1
    if left_out:
        kept.insert(FIRST_KEPT, left_out)
    return dumps(kept)


def attempts(record: TaskRecord, *, now_ms: int) -> Attempts:
    """Return all attempts of a task, the one that runs or was never ended among them."""
    kept = _kept(record)
    left_out = sum(entry for entry in kept if isinstance(entry, int))
    found = [_attempt(entry) for entry in kept if isinstance(entry, list)]
    if record.began is not None:
        at_ms, worker, request_id, version = _parts(record.began)
        outcome, ended_ms = _unended(record, now_ms)
        if ended_ms is not None:  # a cancel may be written long after it was stamped
            ended_ms = max(at_ms, ended_ms)
        open_one = RecordedAttempt(
            attempt=record.attempt,
            began_ms=at_ms,
            ended_ms=ended_ms,
            outcome=outcome,
            resumed_ms=_resumed_ms(kept, record),
            worker=worker,
            request_id=_long(request_id),
            version=version,
        )
        found.append(open_one)
    return Attempts(attempts=tuple(found), left_out=left_out)


def is_waiting(record: TaskRecord) -> bool:
    """Tell whether a task waits (for children, people, time, code), or did when cancelled."""
    return record.phase in ASIDE or bool(record.asks)


def _unended(record: TaskRecord, now_ms: int) -> tuple[AttemptOutcome | None, int | None]:
    """Return what became of an attempt whose end nobody wrote down."""
    if record.status is Status.CANCELLED:
        return AttemptOutcome.CANCELLED, record.updated_ms
    if record.status.terminal:  # by an earlier version, which did not know of `began`
        return AttemptOutcome.LOST, record.updated_ms
    if record.lease_until_ms > now_ms:
        return None, None
    return AttemptOutcome.LOST, record.lease_until_ms


def _resumed_ms(kept: list[Any], record: TaskRecord | None) -> int | None:
    """Return when the wait before the next attempt was over, if it comes after one."""
    after_wait = not kept or _CODES[kept[-1][3]] in WAITS
    return record.resumed_ms if record is not None and after_wait else None


def _kept(record: TaskRecord | None) -> list[Any]:
    return [] if record is None or record.history is None else list(loads(record.history))


def _attempt(entry: list[Any]) -> RecordedAttempt:
    number, began_ms, run_ms, code, *rest = entry
    padded = [*rest, *_NOTHING][: len(_NOTHING)]
    worker, request_id, queued_ms, error_type, error, version = padded
    return RecordedAttempt(
        attempt=number,
        began_ms=began_ms,
        ended_ms=began_ms + run_ms,
        outcome=_CODES[code],
        resumed_ms=None if queued_ms is None else began_ms - queued_ms,
        worker=worker or "",
        request_id=_long(request_id or ""),
        error_type=error_type,
        error=error,
        version=version or "",
    )


def _parts(began: str) -> tuple[int, str, str, str]:
    at_ms, worker, request_id, version = [*began.split(" "), "", "", ""][:4]
    return int(at_ms), worker, request_id, version


def _name(text: str) -> str:
    return brief("".join(text.split()), _NAME_LIMIT_BYTES)


def _short(request_id: str) -> str:
    """Return a request id, one that is a UUID in 22 characters."""
    if len(request_id) != _UUID_CHARACTERS:
        return request_id
    try:
        short = urlsafe_b64encode(bytes.fromhex(request_id.replace("-", ""))).decode().rstrip("=")
    except ValueError:
        return request_id
    return short if _long(short) == request_id else request_id


def _long(request_id: str) -> str:
    """Return what `_short` shortened."""
    if len(request_id) != _SHORT_CHARACTERS:
        return request_id
    try:
        digits = urlsafe_b64decode(f"{request_id}==").hex()
    except ValueError:
        return request_id
    parts = (digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:])
    return "-".join(parts)


def error_text(error: JsonObject | None) -> str | None:
    """Return a JSON-RPC error on one line: its type and its message."""
    if error is None:
        return None
    kind, message = (error.get("data") or {}).get("type"), error.get("message") or ""
    return f"{kind}: {message}" if kind else str(message)
