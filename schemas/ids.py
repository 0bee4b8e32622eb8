"""Identifiers: sortable by time, unguessable, and derived where a repeat must make the same one."""

from __future__ import annotations

import base64
import hashlib
import re
from collections.abc import Callable
from typing import NewType
from zlib import crc32

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
_SPAN = re.compile(r"[0-9a-f]{16}")
_XRAY_ROOT = re.compile(r"1-([0-9a-f]{8})-([0-9a-f]{24})")
_TRACE_BYTES = 12
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


def result_event_id(task_id: str) -> TaskId:
    """Return the id of the event that a task's result is: whoever publishes it makes the same."""
    return _derived(task_id, "publishes", created_ms(task_id), version=_BARE)


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
    """Return the trace context of a task that nobody's trace has led to (W3C, version 00).

    It says of itself that no span has made it, and that nobody has decided yet whether the trace is
    kept (`begins_trace`, `is_undecided`): whoever traces the task can then begin the trace.
    """
    return _begun(random_bits(8 * _TRACE_BYTES))


def traceparent_of_task(task_id: str) -> str:
    """Return the trace context of a task whose message has none: every reader makes the same."""
    return _begun(_digest(task_id, _TRACE_BYTES))


def _begun(number: int) -> str:
    checked = number << 32 | crc32(number.to_bytes(_TRACE_BYTES, "big"))
    trace_id = f"{checked:032x}"
    return f"00-{trace_id}-{trace_id[16:]}-01"


def begins_trace(traceparent: str) -> bool:
    """Tell whether the span that a trace context names is none: its trace begins with the task."""
    return traceparent[19:35] == traceparent[36:52] and is_undecided(traceparent)


def is_undecided(traceparent: str) -> bool:
    """Tell whether a trace began with a task, so that its id alone decides whether it is kept."""
    number = int(traceparent[3:35], 16)
    return crc32((number >> 32).to_bytes(_TRACE_BYTES, "big")) == number & 0xFFFFFFFF


def is_traceparent(text: object) -> bool:
    """Tell whether `text` has the form of a trace context."""
    return isinstance(text, str) and _TRACEPARENT.fullmatch(text) is not None


def span_id_of(*parts: str | int) -> str:
    """Return the span id of a task (its id), or of what has more than one name within it.

    Derived, so that a task's children know the span that its end will make, and that whoever finds
    an attempt lost can tell of it in its place.
    """
    return f"{_digest(chr(0).join(map(str, parts)), 8) or 1:016x}"


def within_task(traceparent: str | None, task_id: str) -> str:
    """Return the trace context below a task's own span: its children's, a redrive's."""
    if traceparent is None or not is_traceparent(traceparent):
        traceparent = traceparent_of_task(task_id)
    return f"00-{traceparent[3:35]}-{span_id_of(task_id)}-{traceparent[53:]}"


def traceparent_of_xray(header: str) -> str | None:
    """Return the trace context that a trace header of AWS X-Ray is, None where it is none.

    Source: X-Ray Developer Guide, "Tracing header": `Root=1-5759e988-bd86…;Parent=5399…;Sampled=1`.
    """
    found = dict(part.strip().partition("=")[::2] for part in header.split(";"))
    root = _XRAY_ROOT.fullmatch(found.get("Root", ""))
    flags = "01" if found.get("Sampled") == "1" else "00"
    if root is None or not _SPAN.fullmatch(found.get("Parent", "")):
        return None
    return f"00-{root[1]}{root[2]}-{found['Parent']}-{flags}"


def _digest(text: str, length: int) -> int:
    return int.from_bytes(hashlib.sha256(text.encode()).digest()[:length], "big")
