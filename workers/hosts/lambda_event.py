"""Lambda's SQS event, as deliveries. Source: Lambda Developer Guide, "Using Lambda with SQS"."""

from __future__ import annotations

from typing import Any

from sqswarm.backends.ports.bus import Delivery


def delivery_of(record: dict[str, Any]) -> Delivery:
    """Return the delivery in one record of a Lambda SQS event."""
    system = record.get("attributes", {})
    custom = record.get("messageAttributes", {})
    return Delivery(
        message_id=record["messageId"],
        receipt=record["receiptHandle"],
        body=record["body"],
        receive_count=int(system.get("ApproximateReceiveCount", 1)),
        sent_ms=int(system.get("SentTimestamp", 0)),
        attributes={name: value.get("stringValue", "") for name, value in custom.items()},
        group=system.get("MessageGroupId"),
    )
