"""Inspector: what the soak asks of the swarm, round the proxy: housekeeping, queues, records."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from benchmarks.soak.agents import AGENTS
from sqswarm.backends.aws.caller import ClientFactory
from sqswarm.backends.aws.expressions import attribute, item_of
from sqswarm.backends.ports.store import Index
from sqswarm.infra.topology import HOUSEKEEPING
from sqswarm.schemas.naming import TASKS_TOPIC, UNROUTED, Names
from sqswarm.schemas.task import DUE_SHARDS, TaskRecord

_HELD_S = 75.0
"""A dead letter that housekeeping looked at and could not let go of comes back after a minute."""
_DEPTHS = (
    "ApproximateNumberOfMessages",
    "ApproximateNumberOfMessagesNotVisible",
    "ApproximateNumberOfMessagesDelayed",
)


@dataclass(frozen=True, kw_only=True)
class DeadLetter:
    """A dead letter: whose queue it lies in, and what it says."""

    agent: str
    body: str
    task_id: str | None
    reason: str | None


@dataclass(frozen=True, kw_only=True)
class Inspector:
    """One deployed soak swarm. `clients` reach the emulator itself, without faults."""

    names: Names
    clients: ClientFactory

    def keep(self) -> dict[str, Any]:
        """Have housekeeping look now; return what it did, empty where it failed."""
        answer = self.clients("lambda").invoke(
            FunctionName=self.names.function(HOUSEKEEPING), Payload=b"{}"
        )
        told = json.loads(answer["Payload"].read())
        return {} if "FunctionError" in answer else dict(told)

    def poison(self, body: str, agent: str | None) -> None:
        """Publish a body as it is."""
        given = {} if agent is None else {"agent": {"DataType": "String", "StringValue": agent}}
        self.clients("sns").publish(
            TopicArn=self.names.topic_arn(TASKS_TOPIC), Message=body, MessageAttributes=given
        )

    def left(self) -> dict[str, int]:
        """Return how many messages the queues still hold, by queue, where there are any."""
        queues = [self.names.queue(UNROUTED)]
        queues += [self.names.queue(n, ordered=a.spec.ordered) for n, a in AGENTS.items()]
        found = {}
        for queue in queues:
            found[queue] = self._depth(self._url(queue))
        return {queue: count for queue, count in found.items() if count}

    def due(self) -> list[str]:
        """Return the tasks that stand in the sweep index, now or for later."""
        return [
            key["pk"]["S"].rpartition("#")[2]
            for n in range(DUE_SHARDS)
            for page in self.clients("dynamodb")
            .get_paginator("query")
            .paginate(
                TableName=self.names.table,
                IndexName=Index.SWEEP.value,
                KeyConditionExpression="due_shard = :shard",
                ExpressionAttributeValues={":shard": attribute(f"due#{n}")},
            )
            for key in page["Items"]
        ]

    def records(self, *, since_ms: int = 0) -> dict[str, TaskRecord]:
        """Return the records of all tasks that were made since a time (Unix milliseconds)."""
        pages = (
            self.clients("dynamodb")
            .get_paginator("scan")
            .paginate(
                TableName=self.names.table,
                FilterExpression="sk = :task",
                ExpressionAttributeValues={":task": attribute("task")},
                ConsistentRead=True,
            )
        )
        found = [TaskRecord.from_item(item_of(wire)) for page in pages for wire in page["Items"]]
        return {record.task_id: record for record in found if record.created_ms >= since_ms}

    def lines(self, *, since_ms: int) -> Iterator[str]:
        """Yield what the functions have printed since a time (Unix milliseconds)."""
        logs = self.clients("logs")
        prefix = f"/aws/lambda/{self.names.stack}-"
        groups = logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix)
        for group in [one["logGroupName"] for page in groups for one in page["logGroups"]]:
            pages = logs.get_paginator("filter_log_events").paginate(
                logGroupName=group, startTime=since_ms
            )
            for page in pages:
                yield from (event["message"] for event in page["events"])

    def letters(self) -> Iterator[DeadLetter]:
        """Take every dead letter out of its queue and yield it.

        Waits for those that housekeeping holds, or held when a fault kept it from letting go.
        """
        for name in (*AGENTS, UNROUTED):
            ordered = name in AGENTS and AGENTS[name].spec.ordered
            url = self._url(self.names.dead_letter_queue(name, ordered=ordered))
            ends = time.monotonic() + _HELD_S
            while True:
                yield from self._taken(name, url)
                if not self._depth(url) or time.monotonic() > ends:
                    break
                time.sleep(0.5)

    def _taken(self, name: str, url: str) -> Iterator[DeadLetter]:
        sqs = self.clients("sqs")
        while got := sqs.receive_message(
            QueueUrl=url, MaxNumberOfMessages=10, MessageAttributeNames=["All"]
        ).get("Messages"):
            for message in got:
                given = {
                    key: value["StringValue"]
                    for key, value in message.get("MessageAttributes", {}).items()
                }
                yield DeadLetter(
                    agent=name,
                    body=message["Body"],
                    task_id=given.get("task_id"),
                    reason=given.get("reason"),
                )
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])

    def _depth(self, url: str) -> int:
        answer = self.clients("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=[*_DEPTHS])
        return sum(int(answer["Attributes"][name]) for name in _DEPTHS)

    def _url(self, queue: str) -> str:
        return str(self.clients("sqs").get_queue_url(QueueName=queue)["QueueUrl"])
