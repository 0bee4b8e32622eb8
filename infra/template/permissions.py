"""What each role may do: exactly what its function does, on exactly its own resources.

A statement that needs the resource `*` says why; no action is a wildcard.
"""

from __future__ import annotations

from typing import Any

from sqswarm.infra.resources import Consumer, Function, ServerFunction, Topology
from sqswarm.infra.template.logical import text
from sqswarm.infra.template.messaging import queue_arn
from sqswarm.infra.template.storage import SWEEP_INDEX, bucket_arn, table_arn
from sqswarm.schemas.catalogue import CATALOGUE_KEY
from sqswarm.schemas.errors import InvalidAgent
from sqswarm.schemas.json import JsonObject
from sqswarm.schemas.naming import Names

Statement = dict[str, Any]

_CONSUME = (
    "sqs:ReceiveMessage",
    "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibility",
    "sqs:GetQueueAttributes",
)
_TASKS = (
    "dynamodb:GetItem",
    "dynamodb:BatchGetItem",
    "dynamodb:Query",
    "dynamodb:PutItem",
    "dynamodb:UpdateItem",
    "dynamodb:ConditionCheckItem",  # a step's outcome is recorded only under the task's lease
    "dynamodb:PartiQLInsert",
    "dynamodb:PartiQLUpdate",
    "dynamodb:PartiQLSelect",
)


def agent_statements(consumer: Consumer, topology: Topology) -> list[Statement]:
    """Return what one agent's function may do, its declared permissions last."""
    return [
        *_work(consumer, topology),
        *_report(consumer.function, topology.names),
        *_declared(consumer),
    ]


def container_statements(consumer: Consumer, topology: Topology) -> list[Statement]:
    """Return what one agent's containers may do; their log is written by who starts them."""
    return [*_work(consumer, topology), *_declared(consumer)]


def image_statements(topology: Topology, log_group: str) -> list[Statement]:
    """Return what it takes to start containers: to fetch the image, and to write their log."""
    names = topology.names
    logs = f"arn:{names.partition}:logs:{names.region}:{names.account}:log-group"
    images = f"arn:{names.partition}:ecr:{names.region}:{names.account}:repository/*"
    return [
        # A login has no resource to name (Service Authorization Reference, Amazon ECR).
        _allow("LogIn", ("ecr:GetAuthorizationToken",), ["*"]),
        _allow(
            "FetchImage",
            (
                "ecr:BatchCheckLayerAvailability",
                "ecr:BatchGetImage",
                "ecr:GetDownloadUrlForLayer",
            ),
            [images],
        ),
        _allow("Log", ("logs:CreateLogStream", "logs:PutLogEvents"), [f"{logs}:{log_group}:*"]),
    ]


def _work(consumer: Consumer, topology: Topology) -> list[Statement]:
    names = topology.names
    return [
        _allow("Consume", _CONSUME, [queue_arn(names, consumer.queue.name)]),
        _allow("PutAside", ("sqs:SendMessage",), [queue_arn(names, consumer.dead_letters.name)]),
        # A task that sleeps for minutes leaves itself a delayed message.
        _allow("WakeUp", ("sqs:SendMessage",), [queue_arn(names, consumer.queue.name)]),
        _allow("Tasks", _TASKS, [table_arn(names)]),
        *_payloads(names),
        _start_tasks(topology),
    ]


def housekeeping_statements(topology: Topology) -> list[Statement]:
    """Return what housekeeping may do: look after every queue of the stage, run nothing."""
    names = topology.names
    letters = [queue_arn(names, s.dead_letters.name) for s in topology.consumers]
    queues = [queue_arn(names, s.queue.name) for s in topology.agents]
    intake = queue_arn(names, topology.unrouted.queue.name)
    return [
        _allow("Consume", _CONSUME, [intake, *letters]),
        _allow("PutAside", ("sqs:SendMessage",), letters),
        _allow("Requeue", ("sqs:SendMessage", "sqs:GetQueueAttributes"), queues),
        _allow("Tasks", _TASKS, [table_arn(names)]),
        _allow("Due", ("dynamodb:Query",), [f"{table_arn(names)}/index/{SWEEP_INDEX}"]),
        *_payloads(names),
        _start_tasks(topology),
        *_report(topology.unrouted.function, names),
    ]


def server_statements(server: ServerFunction, topology: Topology) -> list[Statement]:
    """Return what the server may do: start tasks, and look after those that are there.

    It may read the whole table, because `list` does.
    """
    names = topology.names
    queues = [queue_arn(names, s.queue.name) for s in topology.agents]
    return [
        _allow("Tasks", (*_TASKS, "dynamodb:Scan"), [table_arn(names)]),
        *_payloads(names),
        _start_tasks(topology),
        _allow("Delay", ("sqs:SendMessage",), queues),
        *_report(server.function, names),
        *(_checked(statement, "the server") for statement in server.permissions),
    ]


def _allow(sid: str, actions: tuple[str, ...], resources: list[str]) -> Statement:
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Action": list(actions),
        "Resource": [text(resource) for resource in resources],
    }


def _payloads(names: Names) -> list[Statement]:
    bucket = bucket_arn(names)
    return [
        _allow("Payloads", ("s3:GetObject", "s3:PutObject"), [f"{bucket}/payloads/*"]),
        _allow("Catalogue", ("s3:GetObject",), [f"{bucket}/{CATALOGUE_KEY}"]),
        # Without it S3 answers 403, not 404, for a claim check that has expired.
        _allow("TellMissing", ("s3:ListBucket",), [bucket]),
    ]


def _start_tasks(topology: Topology) -> Statement:
    prefix = f"arn:{topology.names.partition}:sns:{topology.names.region}"
    topics = [f"{prefix}:{topology.names.account}:{topic}" for topic in topology.task_topics]
    return _allow("StartTasks", ("sns:Publish",), topics)


def _report(function: Function, names: Names) -> list[Statement]:
    logs = f"arn:{names.partition}:logs:{names.region}:{names.account}:log-group"
    return [
        _allow(
            "Log",
            ("logs:CreateLogStream", "logs:PutLogEvents"),
            [f"{logs}:{function.log_group}:*"],
        ),
        # X-Ray has no resources to name (Service Authorization Reference).
        _allow("Trace", ("xray:PutTraceSegments", "xray:PutTelemetryRecords"), ["*"]),
    ]


def _declared(consumer: Consumer) -> list[Statement]:
    declared = consumer.spec.permissions if consumer.spec else ()
    return [_checked(statement, f"agent {consumer.key!r}") for statement in declared]


def _checked(statement: JsonObject, agent: str) -> Statement:
    complete = {"Effect": "Allow", **statement}
    if not ({"Action", "NotAction"} & complete.keys()) or "Resource" not in complete:
        message = f"{agent} declares a permission without Action or Resource: {statement}"
        raise InvalidAgent(
            message,
            hint='permissions=[{"Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::mine/*"]}]',
        )
    return complete
