"""Dead letters: looked at without taking them away."""

from __future__ import annotations

import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

_HIDDEN_S = 20
"""So long a letter is hidden while the rest is read; then it is put back at once."""

_A_CALL = 10


@dataclass(frozen=True, kw_only=True)
class Letter:
    """A dead letter. `receives` counts its receives in the dead-letter queue, looks included."""

    agent: str
    reason: str
    detail: str
    task_id: str | None
    receives: int
    first_seen_ms: int
    body: str

    @property
    def age_s(self) -> float:
        """Return seconds since the message was first sent."""
        return time.time() - self.first_seen_ms / 1000


def peek(sqs: Any, queue_url: str, agent: str, *, limit: int) -> list[Letter]:
    """Return up to `limit` letters of one queue and leave them there."""
    letters: list[Letter] = []
    receipts: list[str] = []
    try:
        while len(letters) < limit:
            messages = sqs.receive_message(
                QueueUrl=queue_url,
                MaxNumberOfMessages=min(_A_CALL, limit - len(letters)),
                VisibilityTimeout=_HIDDEN_S,
                MessageSystemAttributeNames=["All"],
                MessageAttributeNames=["All"],
            ).get("Messages", [])
            if not messages:
                break
            receipts += [message["ReceiptHandle"] for message in messages]
            letters += [_letter(message, agent) for message in messages]
    finally:
        for entries in _in_tens(receipts):
            sqs.change_message_visibility_batch(QueueUrl=queue_url, Entries=entries)
    return letters


def _in_tens(receipts: list[str]) -> Iterator[list[dict[str, Any]]]:
    for start in range(0, len(receipts), _A_CALL):
        yield [
            {"Id": str(n), "ReceiptHandle": receipt, "VisibilityTimeout": 0}
            for n, receipt in enumerate(receipts[start : start + _A_CALL])
        ]


def _letter(message: dict[str, Any], agent: str) -> Letter:
    said = {k: v.get("StringValue", "") for k, v in message.get("MessageAttributes", {}).items()}
    system = message.get("Attributes", {})
    unsaid = "used up its receives" if "reason" not in said else ""
    return Letter(
        agent=agent,
        reason=said.get("reason") or unsaid,
        detail=said.get("detail", ""),
        task_id=said.get("task_id"),
        receives=int(system.get("ApproximateReceiveCount", 1)),
        first_seen_ms=int(system.get("SentTimestamp", 0)),
        body=message["Body"],
    )
