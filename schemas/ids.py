"""Identifiers: sortable by time, unguessable, and derived where a repeat must make the same one."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from typing import NewType

TaskId = NewType("TaskId", str)
"""A UUID in its canonical text form: 48 bits of time, 74 random bits (RFC 9562).

Version 7 is for ids that a message may bring first. Version 8 is for ids that are derived from what
others may know (a parent's id, an idempotency key) and that no message may claim: their record is
always made before their message, so a message without one is forged.
"""

RandomBits = Callable[[int], int]
"""Returns a number of so many bits that nobody can guess: `Runner.random_bits`."""

_TASK_ID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[78][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_TRACEPARENT = re.compile(r"[0-9a-f]{2}-[0-9a-f]{32}-[0-9a-f]{16}-[0-9a-f]{2}")
_BARE = 7
_RECORDED = 8
_RANDOM_BITS = 74
_VERSION_BYTES = 9


def _uuid(unix_ms: int, random_bits: int, *, version: int) -> TaskId:
    value = (unix_ms & ((1 << 48) - 1)) << 80
    value |= version << 76
    value |= (random_bits >> 62) << 64
    value |= 0b10 << 62
    value |= random_bits & ((1 << 62) - 1)
    text = f"{value:032x}"
    return TaskId(f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}")


def new_task_id(now_ms: int, random_bits: RandomBits) -> TaskId:
    """Return a fresh task id for a task created at `now_ms` (Unix epoch, milliseconds)."""
    return _uuid(now_ms, random_bits(_RANDOM_BITS), version=_BARE)


def derive_task_id(origin: str, key: str, *, at_ms: int) -> TaskId:
    """Return the one task id that belongs to `key` under `origin`: a repeat makes the same id.

    Used for child tasks (origin = the parent's id), for redriven ones (the old task's) and for
    idempotency keys (origin = principal and agent): tasks that are recorded before anything is
    published. `at_ms` fills the sortable part and must be derived from `origin` too.
    """
    return _derived(origin, key, at_ms, version=_RECORDED)


def _derived(origin: str, key: str, at_ms: int, *, version: int) -> TaskId:
    """Return an id whose unguessable part is as strong as `origin` (SHA-256, 74 bits kept)."""
    digest = hashlib.sha256(f"{origin}\x00{key}".encode()).digest()
    number = int.from_bytes(digest, "big") >> (256 - _RANDOM_BITS)
    return _uuid(at_ms, number, version=version)


def is_recorded_first(task_id: str) -> bool:
    """Tell whether a task of this id has its record before any message: see TaskId."""
    return task_id[14:15] == str(_RECORDED)


def event_task_id(event_id: str, agent: str) -> TaskId:
    """Return the id of the task that an agent has of an event: every delivery makes the same."""
    return _derived(event_id, agent, created_ms(event_id), version=_BARE)


def created_ms(task_id: str) -> int:
    """Return the time in a task id (Unix epoch, milliseconds)."""
    return int(task_id.replace("-", "")[:12], 16)


def is_task_id(text: object) -> bool:
    """Tell whether `text` has the form of a task id."""
    return isinstance(text, str) and _TASK_ID.fullmatch(text) is not None


def adopted_task_id(given: str, name: str) -> TaskId | None:
    """Return the task id of a message that `given` numbers, for the agent or topic `name`.

    A task id stays what it is. Any other UUID, such as EventBridge gives its events, becomes the
    one task id that belongs to it and this name: a repeat makes the same. None for no UUID.
    """
    if is_task_id(given):
        return TaskId(given)
    return _derived(given, name, 0, version=_BARE) if _UUID.fullmatch(given) else None


def new_version(random_bits: RandomBits) -> str:
    """Return a fresh random version `v`: the fence of correctness.md (72 random bits)."""
    value = random_bits(8 * _VERSION_BYTES)
    return base64.urlsafe_b64encode(value.to_bytes(_VERSION_BYTES, "big")).decode()


def new_traceparent(random_bits: RandomBits) -> str:
    """Return a fresh sampled trace context (W3C Trace Context, `traceparent` version 00)."""
    return f"00-{random_bits(128):032x}-{random_bits(64):016x}-01"


def is_traceparent(text: object) -> bool:
    """Tell whether `text` has the form of a trace context."""
    return isinstance(text, str) and _TRACEPARENT.fullmatch(text) is not None


def next_span(traceparent: str | None, random_bits: RandomBits) -> str:
    """Return a trace context within the same trace; a new one where there is none."""
    if traceparent is None or not is_traceparent(traceparent):
        return new_traceparent(random_bits)
    parts = traceparent.split("-")
    return f"00-{parts[1]}-{random_bits(64):016x}-{parts[3]}"
