"""Identifiers: sortable by time, unguessable, and derived where a repeat must make the same one."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from typing import NewType

TaskId = NewType("TaskId", str)
"""A UUIDv7 in its canonical text form (RFC 9562 §5.7): 48 bits of time, 74 random bits."""

RandomBits = Callable[[int], int]
"""Returns a number of so many bits that nobody can guess: `Runner.random_bits`."""

_TASK_ID = re.compile(r"^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$")
_UUID = re.compile(r"^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$")
_RANDOM_BITS = 74
_VERSION_BYTES = 9


def _uuid7(unix_ms: int, random_bits: int) -> TaskId:
    value = (unix_ms & ((1 << 48) - 1)) << 80
    value |= 0x7 << 76
    value |= (random_bits >> 62) << 64
    value |= 0b10 << 62
    value |= random_bits & ((1 << 62) - 1)
    text = f"{value:032x}"
    return TaskId(f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}")


def new_task_id(now_ms: int, random_bits: RandomBits) -> TaskId:
    """Return a fresh task id for a task created at `now_ms` (Unix epoch, milliseconds)."""
    return _uuid7(now_ms, random_bits(_RANDOM_BITS))


def derive_task_id(origin: str, key: str, *, at_ms: int) -> TaskId:
    """Return the one task id that belongs to `key` under `origin`: a repeat makes the same id.

    Used for child tasks (origin = the parent's id), for an event's task of one agent
    (origin = the event's id) and for idempotency keys (origin = principal and agent).
    `at_ms` fills the sortable part and must be derived from `origin` too.
    The unguessable part is as strong as `origin` (SHA-256, 74 bits kept).
    """
    digest = hashlib.sha256(f"{origin}\x00{key}".encode()).digest()
    return _uuid7(at_ms, int.from_bytes(digest, "big") >> (256 - _RANDOM_BITS))


def event_task_id(event_id: str, agent: str) -> TaskId:
    """Return the id of the task that an agent has of an event: every delivery makes the same."""
    return derive_task_id(event_id, agent, at_ms=created_ms(event_id))


def created_ms(task_id: str) -> int:
    """Return the time in a task id (Unix epoch, milliseconds)."""
    return int(task_id.replace("-", "")[:12], 16)


def is_task_id(text: object) -> bool:
    """Tell whether `text` has the form of a task id."""
    return isinstance(text, str) and _TASK_ID.match(text) is not None


def adopted_task_id(given: str, name: str) -> TaskId | None:
    """Return the task id of a message that `given` numbers, for the agent or topic `name`.

    A task id stays what it is. Any other UUID, such as EventBridge gives its events, becomes the
    one task id that belongs to it and this name: a repeat makes the same. None for no UUID.
    """
    if is_task_id(given):
        return TaskId(given)
    return derive_task_id(given, name, at_ms=0) if _UUID.match(given) else None


def new_version(random_bits: RandomBits) -> str:
    """Return a fresh random version `v`: the fence of correctness.md (72 random bits)."""
    value = random_bits(8 * _VERSION_BYTES)
    return base64.urlsafe_b64encode(value.to_bytes(_VERSION_BYTES, "big")).decode()


def new_traceparent(random_bits: RandomBits) -> str:
    """Return a fresh sampled trace context (W3C Trace Context, `traceparent` version 00)."""
    return f"00-{random_bits(128):032x}-{random_bits(64):016x}-01"


def next_span(traceparent: str | None, random_bits: RandomBits) -> str:
    """Return a trace context within the same trace; a new one where there is none."""
    parts = (traceparent or "").split("-")
    if len(parts) != 4:  # noqa: PLR2004 - version, trace, span, flags
        return new_traceparent(random_bits)
    return f"00-{parts[1]}-{random_bits(64):016x}-{parts[3]}"
