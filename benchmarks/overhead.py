"""A worker's overhead per task, against Powertools' BatchProcessor with idempotency.

Both handle the same Lambda events: batches of ten, for an agent with nothing to do, over the
same DynamoDB. Both remember results, and neither runs a message twice. Ours counts its metrics too.
Source of the baseline: Powertools for AWS Lambda (Python), "Batch processing" and "Idempotency".
"""

from __future__ import annotations

import os
import time
from collections.abc import Callable
from contextlib import redirect_stdout
from pathlib import Path
from secrets import randbits
from typing import Any

from benchmarks.report import Comparison, alternate
from sqswarm.backends.aws.connect import client, settings_from_environment
from sqswarm.dispatcher.middleware import remove_middleware
from sqswarm.schemas.ids import new_task_id
from sqswarm.schemas.json import JsonObject, dumps
from sqswarm.schemas.message import Message
from sqswarm.workers.metrics import add_metrics, emf_metrics

LIMIT = 1.0
BATCHES = 30
BATCH = 10
_TABLE = "powertools-idempotency"
_REMAINING_S = 30.0


def measure(*, rounds: int = 5) -> Comparison:
    """Handle 30 batches of 10 tasks, in turns; the figure is wall time."""
    from sqswarm.workers.hosts.lambda_handler import Worker

    settings = settings_from_environment()
    environment = {
        **os.environ,
        "SQSWARM_AGENT": "noop",
        "SQSWARM_AGENTS": "benchmarks.agents",
        "SQSWARM_STAGE": "bench",
        "SQSWARM_ACCOUNT": "000000000000",
    }
    worker = Worker(environment)
    powertools = _powertools(client(settings, "dynamodb"))

    def ours(event: JsonObject) -> None:
        # Lambda's standard output goes to a pipe of its own.
        with Path(os.devnull).open("w") as nowhere, redirect_stdout(nowhere):
            answer = worker.handle(event, _REMAINING_S)
        _refuse_failures(answer)

    def theirs(event: JsonObject) -> None:
        _refuse_failures(powertools(event, None))

    add_metrics("bench", {})
    try:
        ours_s, theirs_s = alternate(lambda: _timed(ours), lambda: _timed(theirs), rounds=rounds)
    finally:
        remove_middleware(emf_metrics("bench"))
    return Comparison(
        name="worker overhead, 300 tasks",
        baseline="Powertools batch + idempotency",
        seconds=ours_s,
        baseline_seconds=theirs_s,
        limit=LIMIT,
        at_most=True,
    )


def _timed(handle: Callable[[JsonObject], None]) -> float:
    events = [_event() for _ in range(BATCHES)]
    start = time.perf_counter()
    for event in events:
        handle(event)
    return time.perf_counter() - start


def _event() -> JsonObject:
    records = []
    for number in range(BATCH):
        task_id = new_task_id(time.time_ns() // 1_000_000, randbits)
        message = Message(
            id=task_id, name="noop", arguments={"number": number}, principal="benchmark"
        )
        records.append(
            {
                "messageId": task_id,
                "receiptHandle": task_id,
                "body": message.encode(),
                "attributes": {"ApproximateReceiveCount": "1", "SentTimestamp": "0"},
                "messageAttributes": {},
                "eventSource": "aws:sqs",
                "eventSourceARN": "arn:aws:sqs:us-east-1:000000000000:noop",
                "awsRegion": "us-east-1",
            }
        )
    return {"Records": records}


def _refuse_failures(answer: Any) -> None:
    if answer["batchItemFailures"]:
        message = f"tasks failed, so nothing was measured: {dumps(answer)[:500]}"
        raise RuntimeError(message)


def _powertools(dynamodb: Any) -> Callable[[JsonObject, Any], Any]:
    """Return the handler that Powertools' documentation shows, over a table of its own."""
    os.environ.setdefault("POWERTOOLS_SERVICE_NAME", "benchmark")
    from aws_lambda_powertools.utilities.batch import (
        BatchProcessor,
        EventType,
        process_partial_response,
    )
    from aws_lambda_powertools.utilities.data_classes.sqs_event import SQSRecord
    from aws_lambda_powertools.utilities.idempotency import (
        DynamoDBPersistenceLayer,
        IdempotencyConfig,
        idempotent_function,
    )

    dynamodb.create_table(
        TableName=_TABLE,
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
    )
    processor = BatchProcessor(event_type=EventType.SQS)
    layer = DynamoDBPersistenceLayer(table_name=_TABLE, boto3_client=dynamodb)
    config = IdempotencyConfig(event_key_jmespath="messageId")

    @idempotent_function(data_keyword_argument="record", config=config, persistence_store=layer)
    def handle_record(*, record: SQSRecord) -> JsonObject:
        number = record.json_body["params"]["arguments"]["number"]
        return {"result": number}

    def handler(event: JsonObject, context: Any) -> Any:
        return process_partial_response(
            event=event,
            record_handler=lambda record: handle_record(record=record),
            processor=processor,
            context=context,
        )

    return handler
