"""The bus on SNS and SQS."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Sequence
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any

from botocore.exceptions import ClientError

from sqswarm.backends.aws.caller import AwsCaller, error_code
from sqswarm.backends.aws.chunks import chunks
from sqswarm.backends.aws.event_sources import switch_event_source
from sqswarm.backends.aws.together import Together
from sqswarm.backends.ports.bus import (
    BATCH_ENTRIES,
    Delivery,
    Outgoing,
    OutgoingDeadLetter,
    QueueDepth,
    batches,
)
from sqswarm.backends.runner import Runner
from sqswarm.schemas.errors import PublishFailed
from sqswarm.schemas.naming import Names

if TYPE_CHECKING:
    from sqswarm.schemas.notice import Target

_TRIES = 5
_FIRST_PAUSE_S = 0.1
_RECEIPTS_A_CALL = 10
_GROUP_LENGTH = 128
_LETTER_BYTES = 1024 * 1024 - 8192
"""Source: SQS quotas, a message of 1 MiB with its attributes."""
_COUNTS = {
    "waiting": "ApproximateNumberOfMessages",
    "in_flight": "ApproximateNumberOfMessagesNotVisible",
    "delayed": "ApproximateNumberOfMessagesDelayed",
}
_METRICS_A_CALL = 500
"""Source: CloudWatch API, GetMetricData: up to 500 queries."""
_PERIOD_S = 60
_LOOK_BACK_S = 300
_STALE = frozenset(
    {
        "ReceiptHandleIsInvalid",
        "InvalidParameterValue",
        "MessageNotInflight",
        "AWS.SimpleQueueService.MessageNotInflight",
    }
)


class AwsBus:
    """SNS topics and SQS queues of one stage; see the port for what each method promises."""

    def __init__(
        self, caller: AwsCaller, runner: Runner, names: Names, endpoint_url: str | None
    ) -> None:
        """Address topics and queues by name in the account and region of `names`."""
        self._caller = caller
        self._runner = runner
        self._topics = f"arn:{names.partition}:sns:{names.region}:{names.account}:"
        base = endpoint_url or f"https://sqs.{names.region}.amazonaws.com"
        self._publishes: dict[str, Together[Outgoing, None]] = {}
        self._base = base.rstrip("/")
        self._queues = f"{self._base}/{names.account}/"

    def queue_url(self, queue: str) -> str:
        """Return a queue's address (SQS Developer Guide, "Queue and message identifiers")."""
        return self._queues + queue

    async def publish(self, topic: str, messages: Sequence[Outgoing]) -> None:
        """Publish with SNS PublishBatch; what several publish at one time goes together."""
        if topic.endswith(".fifo"):
            await self._publish(topic, messages)
            return
        if (shared := self._publishes.get(topic)) is None:
            shared = Together(partial(self._publish, topic), size=BATCH_ENTRIES)
            self._publishes[topic] = shared
        await shared.ask(messages)

    async def _publish(self, topic: str, messages: Sequence[Outgoing]) -> None:
        def send(batch: Sequence[Outgoing]) -> Coroutine[Any, Any, None]:
            entries = {m.id: _entry(m, topic, body="Message") for m in batch}
            target = {"TopicArn": self._topics + topic}
            return self._send_batch(
                "sns", "publish_batch", target, "PublishBatchRequestEntries", entries
            )

        await self._send_all(topic, messages, send)

    async def send(self, queue: str, messages: Sequence[Outgoing], *, delay_s: int = 0) -> None:
        """Send with SQS SendMessageBatch."""
        delay = {"DelaySeconds": delay_s} if delay_s else {}

        def send(batch: Sequence[Outgoing]) -> Coroutine[Any, Any, None]:
            entries = {m.id: {**_entry(m, queue, body="MessageBody"), **delay} for m in batch}
            target = {"QueueUrl": self.queue_url(queue)}
            return self._send_batch("sqs", "send_message_batch", target, "Entries", entries)

        await self._send_all(queue, messages, send)

    async def tell(self, target: Target, messages: Sequence[Outgoing]) -> None:
        """Tell with PublishBatch, SendMessageBatch or PutEvents."""
        if target.kind == "events":
            from sqswarm.backends.aws.put_events import put_events  # few swarms tell

            await put_events(self._caller, self._runner, target.address, messages)
            return

        def send(batch: Sequence[Outgoing]) -> Coroutine[Any, Any, None]:
            if target.kind == "sns":
                entries = {m.id: _entry(m, target.name, body="Message") for m in batch}
                to, named = {"TopicArn": target.address}, "PublishBatchRequestEntries"
                return self._send_batch("sns", "publish_batch", to, named, entries)
            entries = {m.id: _entry(m, target.name, body="MessageBody") for m in batch}
            to = {"QueueUrl": f"{self._base}/{target.account}/{target.name}"}
            return self._send_batch("sqs", "send_message_batch", to, "Entries", entries)

        await self._send_all(target.name, messages, send)

    async def _send_all(
        self,
        target: str,
        messages: Sequence[Outgoing],
        send: Callable[[Sequence[Outgoing]], Coroutine[Any, Any, None]],
    ) -> None:
        """Send in batches: side by side, but one after another where their order counts."""
        parts = batches(messages)
        if not target.endswith(".fifo"):
            await self._runner.gather([send(part) for part in parts])
            return
        for n, part in enumerate(parts, start=1):
            try:
                await send(part)
            except PublishFailed as error:
                error.failed.extend(m.id for rest in parts[n:] for m in rest)
                raise

    async def _send_batch(
        self,
        service: str,
        operation: str,
        target: dict[str, str],
        entries_name: str,
        by_id: dict[str, dict[str, Any]],
    ) -> None:
        """Send one batch, and again what the service refused within it."""
        left = {str(n): (id_, entry) for n, (id_, entry) in enumerate(by_id.items())}
        pause_s = _FIRST_PAUSE_S
        for tries_left in range(_TRIES - 1, -1, -1):
            entries = [{"Id": n, **entry} for n, (_, entry) in left.items()]
            request = {**target, entries_name: entries}
            response = await self._caller.call(service, operation, **request)
            failed = response.get("Failed", [])
            left = {f["Id"]: left[f["Id"]] for f in failed}
            if not left:
                return
            if not tries_left or all(f.get("SenderFault") for f in failed):
                why = failed[0].get("Message") or failed[0].get("Code")
                message = f"{service} refused {len(left)} of {len(by_id)} messages: {why}"
                raise PublishFailed(message, [id_ for id_, _ in left.values()])
            await self._runner.sleep(pause_s)
            pause_s *= 2

    async def receive(self, queue: str, *, limit: int, wait_s: int) -> list[Delivery]:
        """Receive with SQS ReceiveMessage (long poll)."""
        response = await self._caller.call(
            "sqs",
            "receive_message",
            QueueUrl=self.queue_url(queue),
            MaxNumberOfMessages=limit,
            WaitTimeSeconds=wait_s,
            MessageSystemAttributeNames=["All"],
            MessageAttributeNames=["All"],
        )
        return [_delivery(message) for message in response.get("Messages", [])]

    async def delete(self, queue: str, receipts: Sequence[str]) -> None:
        """Delete with SQS DeleteMessageBatch; what could not be deleted is delivered again."""
        for part in chunks(receipts, _RECEIPTS_A_CALL):
            entries = [{"Id": str(n), "ReceiptHandle": r} for n, r in enumerate(part)]
            await self._caller.call(
                "sqs", "delete_message_batch", QueueUrl=self.queue_url(queue), Entries=entries
            )

    async def hide(self, queue: str, receipt: str, *, seconds: int) -> None:
        """Hide with SQS ChangeMessageVisibility."""
        try:
            await self._caller.call(
                "sqs",
                "change_message_visibility",
                QueueUrl=self.queue_url(queue),
                ReceiptHandle=receipt,
                VisibilityTimeout=seconds,
            )
        except ClientError as error:
            # Too late: the message is back in the queue already, so there is nothing to hide.
            if error_code(error) not in _STALE:
                raise

    async def show_again(self, queue: str, receipts: Sequence[str]) -> None:
        """Show with SQS ChangeMessageVisibilityBatch; what is back already is told as failed."""

        def show(part: Sequence[str]) -> Coroutine[Any, Any, Any]:
            entries = [
                {"Id": str(n), "ReceiptHandle": receipt, "VisibilityTimeout": 0}
                for n, receipt in enumerate(part)
            ]
            return self._caller.call(
                "sqs",
                "change_message_visibility_batch",
                QueueUrl=self.queue_url(queue),
                Entries=entries,
            )

        await self._runner.gather([show(part) for part in chunks(receipts, _RECEIPTS_A_CALL)])

    async def dead_letter(
        self, queue: str, letter: OutgoingDeadLetter, *, group: str | None
    ) -> None:
        """Put aside with SQS SendMessage."""
        request: dict[str, Any] = {
            "QueueUrl": self.queue_url(queue),
            "MessageBody": _cut(letter.body) or " ",  # SQS takes no empty body
            "MessageAttributes": _attributes(letter.attributes),
        }
        if queue.endswith(".fifo"):
            key = letter.task_id or sha256(letter.body.encode()).hexdigest()
            request["MessageGroupId"] = group or key
            request["MessageDeduplicationId"] = f"{key}-{letter.attempts}"
        await self._caller.call("sqs", "send_message", **request)

    async def depth(self, queue: str) -> QueueDepth:
        """Count with SQS GetQueueAttributes."""
        response = await self._caller.call(
            "sqs",
            "get_queue_attributes",
            QueueUrl=self.queue_url(queue),
            AttributeNames=list(_COUNTS.values()),
        )
        counted = response.get("Attributes", {})
        return QueueDepth(**{name: int(counted.get(said, 0)) for name, said in _COUNTS.items()})

    async def oldest_s(self, queues: Sequence[str]) -> dict[str, int]:
        """Ask CloudWatch, which is a minute or more behind; an emulator may have no value."""
        now_s = self._runner.now_ms() // 1000
        parts = await self._runner.gather(
            [self._oldest_s(part, now_s) for part in chunks(queues, _METRICS_A_CALL)]
        )
        return {queue: age for part in parts for queue, age in part.items()}

    async def _oldest_s(self, queues: Sequence[str], now_s: int) -> dict[str, int]:
        response = await self._caller.call(
            "cloudwatch",
            "get_metric_data",
            MetricDataQueries=[
                {
                    "Id": f"q{number}",
                    "MetricStat": {
                        "Metric": {
                            "Namespace": "AWS/SQS",
                            "MetricName": "ApproximateAgeOfOldestMessage",
                            "Dimensions": [{"Name": "QueueName", "Value": queue}],
                        },
                        "Period": _PERIOD_S,
                        "Stat": "Maximum",
                    },
                    "ReturnData": True,
                }
                for number, queue in enumerate(queues)
            ],
            StartTime=now_s - _LOOK_BACK_S,
            EndTime=now_s + _PERIOD_S,
            ScanBy="TimestampDescending",
        )
        return {
            queues[int(result["Id"][1:])]: int(result["Values"][0])
            for result in response["MetricDataResults"]
            if result["Values"]
        }

    async def deliver(self, queue: str, *, function: str, on: bool) -> None:
        """Enable or disable the event source mapping of the function."""
        del queue
        await switch_event_source(self._caller, self._runner, function=function, on=on)


def _entry(message: Outgoing, target: str, *, body: str) -> dict[str, Any]:
    entry: dict[str, Any] = {
        body: message.body,
        "MessageAttributes": _attributes(message.attributes),
    }
    if target.endswith(".fifo"):
        entry["MessageGroupId"] = _group(message.group or message.id)
        entry["MessageDeduplicationId"] = message.id + message.dedup_suffix
    else:
        # Fair queues: one principal's flood does not keep the others' messages waiting.
        entry["MessageGroupId"] = _group(message.principal)
    return entry


def _cut(body: str) -> str:
    """Return a body that leaves room for the reason beside it: both count as the message."""
    if len(body) <= _LETTER_BYTES // 4:  # a character has at most four bytes
        return body
    return body.encode()[:_LETTER_BYTES].decode(errors="ignore")


def _group(name: str) -> str:
    """Return a message group id: at most 128 characters, letters, digits and punctuation."""
    if len(name) <= _GROUP_LENGTH and all("!" <= c <= "~" for c in name):
        return name
    return sha256(name.encode()).hexdigest()


def _attributes(values: dict[str, str]) -> dict[str, dict[str, str]]:
    return {n: {"DataType": "String", "StringValue": v} for n, v in values.items()}


def _delivery(message: dict[str, Any]) -> Delivery:
    system = message.get("Attributes", {})
    custom = message.get("MessageAttributes", {})
    return Delivery(
        message_id=message["MessageId"],
        receipt=message["ReceiptHandle"],
        body=message["Body"],
        receive_count=int(system.get("ApproximateReceiveCount", 1)),
        sent_ms=int(system.get("SentTimestamp", 0)),
        attributes={name: value.get("StringValue", "") for name, value in custom.items()},
        group=system.get("MessageGroupId"),
        xray=system.get("AWSTraceHeader"),
    )


def delivery_of(record: dict[str, Any]) -> Delivery:
    """Return the delivery in one record of a Lambda SQS event.

    Source: Lambda Developer Guide, "Using Lambda with SQS".
    """
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
        xray=system.get("AWSTraceHeader"),
    )
