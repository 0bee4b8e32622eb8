"""Payloads and the claim check: what is small travels inline, what is large goes to S3."""

from __future__ import annotations

from sqswarm.schemas.errors import PayloadTooLarge
from sqswarm.schemas.json import size_bytes
from sqswarm.schemas.value import dataclass

INLINE_LIMIT_BYTES = 48 * 1024
"""Arguments up to this size travel in the message.

Ten such messages do not fit one SNS batch of 256 KiB, so the publisher splits by size; one
alone stays within the 64 KiB that SNS and SQS bill as one request, envelope included.
"""

RECORD_INLINE_LIMIT_BYTES = 100 * 1024
"""Results (and arguments beside them) up to this size stay in the table's item.

Source: a DynamoDB item holds 400 KB; the record keeps arguments, result and waits.
"""

ARGUMENTS = "arguments"
"""The name of a task's arguments among its payloads."""

GONE = "is gone, or is not this task's"
"""What is told of a payload that S3 does not give: to who may not list, both look alike."""

PAYLOAD_DAYS = 415
"""A day longer than a task may wait, with arguments and outcomes of steps that it still needs, and
than its record is kept after that."""

PAYLOAD_LIMIT_BYTES = 64 * 1024 * 1024
"""The largest payload a claim check carries: a worker holds it in memory more than once."""


def payload_key(agent: str, task_id: str, name: str) -> str:
    """Return the blob key of one of a task's payloads: an agent's role reaches its own only."""
    return f"payloads/{agent}/{task_id}/{name}.json"


def event_payload_key(topic: str, event_id: str) -> str:
    """Return the blob key of an event's arguments, which every subscriber's tasks share.

    No agent's name has a dot: it is no agent's own.
    """
    return payload_key(f"topic.{topic}", event_id, ARGUMENTS)


@dataclass(frozen=True, kw_only=True)
class Payload:
    """JSON text, or the place where it waits (`s3://bucket/key`): exactly one of the two."""

    inline: str | None = None
    ref: str | None = None

    def __post_init__(self) -> None:
        """Refuse a payload that is both or neither."""
        if (self.inline is None) == (self.ref is None):
            message = "a payload is either inline or a reference"
            raise ValueError(message)


def check_size(text: str, *, what: str) -> int:
    """Return the size of `text` in bytes; raises PayloadTooLarge over PAYLOAD_LIMIT_BYTES."""
    size = size_bytes(text)
    if size > PAYLOAD_LIMIT_BYTES:
        message = f"{what} has {size:,} bytes; the limit is {PAYLOAD_LIMIT_BYTES:,}"
        raise PayloadTooLarge(message)
    return size
