"""Publishing tasks with `Swarm`, against a hand-written boto3 loop over the same topic.

Both send the same messages: what is compared is the way there, not the size of the envelope.
"""

from __future__ import annotations

import json
import time
import uuid
from typing import Any

from benchmarks.report import Comparison, alternate
from sqswarm import Request, Swarm
from sqswarm.backends.aws.connect import client, settings_from_environment

LIMIT = 0.9
TASKS = 1000


def stop_working(function: str) -> None:
    """Stop the delivery to `function`: what is measured is publishing, on an idle machine."""
    functions = client(settings_from_environment(), "lambda")
    found = functions.list_event_source_mappings(FunctionName=function)["EventSourceMappings"]
    for mapping in found:
        functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=False)
    while any(
        functions.get_event_source_mapping(UUID=m["UUID"])["State"] != "Disabled" for m in found
    ):
        time.sleep(0.1)


def measure(swarm: Swarm, topic_arn: str, *, rounds: int = 5) -> Comparison:
    """Publish 1,000 messages, ten a request, in turns with the loop a user would write."""
    sns = client(settings_from_environment(), "sns")
    requests = [Request(arguments={"number": n}) for n in range(TASKS)]

    def ours() -> float:
        start = time.perf_counter()
        swarm.submit_many("noop", requests)
        return time.perf_counter() - start

    def by_hand() -> float:
        start = time.perf_counter()
        for first in range(0, TASKS, 10):
            entries = [_by_hand(n) for n in range(first, first + 10)]
            answer = sns.publish_batch(TopicArn=topic_arn, PublishBatchRequestEntries=entries)
            if answer.get("Failed"):
                message = f"SNS refused {len(answer['Failed'])} messages"
                raise RuntimeError(message)
        return time.perf_counter() - start

    ours_s, by_hand_s = alternate(ours, by_hand, rounds=rounds)
    return Comparison(
        name="Swarm.submit_many",
        baseline="boto3 publish_batch loop",
        seconds=ours_s,
        baseline_seconds=by_hand_s,
        limit=LIMIT,
        at_most=False,
    )


def _by_hand(number: int) -> dict[str, Any]:
    """Return one entry as one would write it: the message of design.md §3, ready to be filtered."""
    task_id = str(uuid.uuid4())
    message = {
        "jsonrpc": "2.0",
        "id": task_id,
        "method": "tools/call",
        "params": {
            "name": "noop",
            "arguments": {"number": number},
            "_meta": {
                "progressToken": task_id,
                "traceparent": f"00-{uuid.uuid4().hex}-{uuid.uuid4().hex[:16]}-01",
                "dev.sqswarm/principal": "local",
            },
        },
    }
    attributes = {"agent": "noop", "principal": "local"}
    return {
        "Id": str(number),
        "Message": json.dumps(message),
        "MessageAttributes": {
            name: {"DataType": "String", "StringValue": value} for name, value in attributes.items()
        },
        "MessageGroupId": "local",
    }
