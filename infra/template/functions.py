"""Functions, what feeds them, and the roles they run under."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from troposphere import AWSObject, awslambda, events, iam, logs
from troposphere.validators import integer

from sqswarm.infra.resources import Consumer, Function, Topology
from sqswarm.infra.template.logical import arn, camel, ref, text
from sqswarm.infra.template.messaging import queue_title
from sqswarm.infra.template.permissions import (
    Statement,
    agent_statements,
    fitted,
    housekeeping_statements,
)
from sqswarm.infra.template.storage import BUCKET
from sqswarm.infra.topology import LOG_RETENTION_DAYS
from sqswarm.schemas.json import dumps
from sqswarm.schemas.naming import LIVE

CODE_KEY = "CodeKey"


class _QueueScaling(awslambda.ScalingConfig):  # type: ignore[misc] # troposphere is untyped
    """ScalingConfig of an event source mapping.

    In troposphere 4.11 a newer property type of the same name hides the one that is meant here.
    """

    props: ClassVar[dict[str, Any]] = {"MaximumConcurrency": (integer, True)}


def function_title(consumer: Consumer) -> str:
    """Return the logical id of a consumer's function."""
    return f"{camel(consumer.key)}Function"


def alias_title(consumer: Consumer) -> str:
    """Return the logical id of the alias of a consumer's function."""
    return f"{camel(consumer.key)}Live"


def source_title(consumer: Consumer) -> str:
    """Return the logical id of a consumer's event source mapping."""
    return f"{camel(consumer.key)}EventSource"


def worker(consumer: Consumer, topology: Topology) -> Iterator[AWSObject]:
    """Yield a consumer's function with its log group, role and event source."""
    statements = (
        housekeeping_statements(topology)
        if consumer.spec is None
        else agent_statements(consumer, topology)
    )
    yield from function_parts(camel(consumer.key), consumer.function, statements, topology)
    if consumer not in topology.versioned:
        yield _event_source(consumer, function_title(consumer))
        return
    yield awslambda.Alias(
        alias_title(consumer),
        FunctionName=ref(function_title(consumer)),
        Name=LIVE,
        # As it is made. Later `sqswarm deploy` moves it to what it has published and tried.
        FunctionVersion="$LATEST",
    )
    yield _event_source(consumer, alias_title(consumer))


def timers(topology: Topology) -> Iterator[AWSObject]:
    """Yield what wakes housekeeping: the minute's clock, and agents' schedules."""
    yield from _clock(topology)
    yield from _schedules(topology)


def function_parts(
    stem: str, function: Function, statements: list[Statement], topology: Topology
) -> Iterator[AWSObject]:
    """Yield a function with its log group and role; `stem` begins their logical ids."""
    own, further = fitted(statements)
    policies = [f"{stem}Policy{number}" for number in range(len(further))]
    for title, statement in zip(policies, further, strict=True):
        document = {"Version": "2012-10-17", "Statement": [statement]}
        yield iam.ManagedPolicy(title, PolicyDocument=document)
    managed = {"ManagedPolicyArns": [ref(title) for title in policies]} if policies else {}
    yield logs.LogGroup(
        f"{stem}Logs",
        LogGroupName=function.log_group,
        RetentionInDays=LOG_RETENTION_DAYS,
        DeletionPolicy="Delete",
        UpdateReplacePolicy="Delete",
    )
    yield iam.Role(
        f"{stem}Role",
        AssumeRolePolicyDocument={
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "lambda.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                }
            ],
        },
        Policies=[
            iam.Policy(
                PolicyName="work",
                PolicyDocument={"Version": "2012-10-17", "Statement": own},
            )
        ],
        **managed,
    )
    layers = {"Layers": [topology.layer]} if topology.layer else {}
    yield awslambda.Function(
        f"{stem}Function",
        FunctionName=function.name,
        Description=function.description[:256],
        Runtime=topology.runtime,
        Architectures=[topology.architecture],
        Handler=function.handler,
        Code=awslambda.Code(S3Bucket=ref(BUCKET), S3Key=ref(CODE_KEY)),
        Timeout=function.timeout_s,
        MemorySize=function.memory_mb,
        Role=arn(f"{stem}Role"),
        Environment=awslambda.Environment(
            Variables={name: text_env(value) for name, value in sorted(function.env.items())}
        ),
        TracingConfig=awslambda.TracingConfig(Mode="Active"),
        # Else Lambda makes the group itself at the first line, without retention.
        DependsOn=[f"{stem}Logs"],
        **layers,
    )


def text_env(value: str) -> Any:
    """Return an environment value; only our own carry pseudo parameters, a user's stays as is."""
    return text(value) if value.startswith("${AWS::") else value


def _event_source(consumer: Consumer, function: str) -> awslambda.EventSourceMapping:
    source = consumer.source
    more: dict[str, Any] = {}
    if not consumer.queue.fifo:
        more["MaximumBatchingWindowInSeconds"] = source.window_s
    return awslambda.EventSourceMapping(
        source_title(consumer),
        EventSourceArn=arn(queue_title(consumer)),
        FunctionName=ref(function),
        # True is the default, but LocalStack disables a mapping whose update does not say it.
        Enabled=source.enabled,
        BatchSize=source.batch_size,
        FunctionResponseTypes=["ReportBatchItemFailures"],
        # The limit of an agent's concurrency. Reserved concurrency would throttle deliveries
        # instead of leaving them in the queue, and each throttle counts as a receive.
        ScalingConfig=_QueueScaling(MaximumConcurrency=source.max_concurrency),
        **more,
    )


def _clock(topology: Topology) -> Iterator[AWSObject]:
    title = function_title(topology.unrouted)
    yield events.Rule(
        "HousekeepingClock",
        Name=topology.unrouted.function.name,
        Description="Wakes housekeeping every minute",
        ScheduleExpression="rate(1 minute)",
        State="ENABLED",
        Targets=[events.Target(Id="housekeeping", Arn=arn(title))],
    )
    yield awslambda.Permission(
        "HousekeepingClockMayInvoke",
        Action="lambda:InvokeFunction",
        FunctionName=ref(title),
        Principal="events.amazonaws.com",
        SourceArn=arn("HousekeepingClock"),
    )


def _schedules(topology: Topology) -> Iterator[AWSObject]:
    """Yield a rule for each schedule of each agent: it tells housekeeping what to submit.

    The tick's own time travels along, so that a rule that fires twice submits once.
    """
    housekeeping = function_title(topology.unrouted)
    for consumer in topology.agents:
        for number, schedule in enumerate(consumer.spec.schedules if consumer.spec else ()):
            title = f"{camel(consumer.key)}FunctionSchedule{number}"
            told = dumps({"schedule": consumer.key, "number": number})
            yield events.Rule(
                title,
                Name=f"{consumer.function.name}-{number}",
                Description=f"Submits a task for {consumer.key}",
                ScheduleExpression=schedule.expression,
                State="ENABLED",
                Targets=[
                    events.Target(
                        Id="housekeeping",
                        Arn=arn(housekeeping),
                        InputTransformer=events.InputTransformer(
                            InputPathsMap={"time": "$.time"},
                            InputTemplate=told[:-1] + ',"time":<time>}',
                        ),
                    )
                ],
            )
            yield awslambda.Permission(
                f"{title}MayInvoke",
                Action="lambda:InvokeFunction",
                FunctionName=ref(housekeeping),
                Principal="events.amazonaws.com",
                SourceArn=arn(title),
            )
