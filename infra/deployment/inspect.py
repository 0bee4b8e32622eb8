"""Inspect: the checks of every resource of a stage."""

from __future__ import annotations

import time
from collections.abc import Iterator
from functools import partial
from typing import Any

from sqswarm.backends.aws.caller import ClientFactory
from sqswarm.infra.deployment.drift import Check, Drift, differing, run_checks
from sqswarm.infra.deployment.inspect_storage import storage_checks
from sqswarm.infra.resources import (
    Consumer,
    Function,
    Queue,
    ServerFunction,
    Subscription,
    Topology,
)
from sqswarm.infra.template.messaging import queue_arn
from sqswarm.infra.template.permissions import (
    Statement,
    agent_statements,
    fitted,
    housekeeping_statements,
    server_statements,
)
from sqswarm.schemas.json import canonical, loads
from sqswarm.schemas.naming import LIVE

_SETTLING_S = 10.0
_POLL_S = 0.2


def inspect(topology: Topology, clients: ClientFactory) -> list[Drift]:
    """Return every difference between `topology` (with concrete names) and what is deployed.

    Raises Unreachable where nothing answers.
    """
    checks: list[tuple[str, Check]] = [
        *storage_checks(topology, clients),
        *((f"queue {q.name}", partial(_queue, q, topology, clients)) for q in topology.queues),
        *((f"topic {t.name}", partial(_topic, t.name, topology, clients)) for t in topology.topics),
    ]
    for consumer in topology.on_lambda:
        name = f"function {consumer.function.name}"
        statements = _statements(consumer, topology)
        check = partial(_function, consumer.function, statements, topology, clients)
        checks.append((name, check))
        name = f"event source of {consumer.function.name}"
        checks.append((name, partial(_event_source, consumer, topology, clients)))
    if topology.server is not None:
        function, statements = (
            topology.server.function,
            fitted(server_statements(topology.server, topology))[0],
        )
        check = partial(_function, function, statements, topology, clients)
        checks.append((f"function {function.name}", check))
        check = partial(_function_url, topology.server, clients)
        checks.append((f"URL of {function.name}", check))
    return run_checks(checks)


def _statements(consumer: Consumer, topology: Topology) -> list[Statement]:
    if consumer.spec is None:
        return fitted(housekeeping_statements(topology))[0]
    return agent_statements(consumer, topology)


def queue_attributes(queue: Queue, topology: Topology) -> dict[str, str]:
    """Return the attributes a queue must have, in SQS's words."""
    expected = {
        "VisibilityTimeout": str(queue.visibility_s),
        "MessageRetentionPeriod": str(queue.retention_s),
    }
    if queue.dead_letters is not None:
        expected["RedrivePolicy"] = canonical(
            {
                "deadLetterTargetArn": queue_arn(topology.names, queue.dead_letters),
                "maxReceiveCount": queue.max_receive_count,
            }
        )
    return expected


def _queue(queue: Queue, topology: Topology, clients: ClientFactory) -> Iterator[Drift]:
    sqs = clients("sqs")
    url = sqs.get_queue_url(QueueName=queue.name)["QueueUrl"]
    actual = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    if "RedrivePolicy" in actual:
        policy = loads(actual["RedrivePolicy"])
        policy["maxReceiveCount"] = int(policy["maxReceiveCount"])
        actual["RedrivePolicy"] = canonical(policy)
    expected = queue_attributes(queue, topology)
    if what := differing(expected, actual):
        put = partial(sqs.set_queue_attributes, QueueUrl=url, Attributes=expected)
        yield Drift(resource=f"queue {queue.name}", what=what, mend=put)


def _topic(topic: str, topology: Topology, clients: ClientFactory) -> Iterator[Drift]:
    sns = clients("sns")
    arn = f"arn:{topology.names.partition}:sns:{topology.names.region}:{topology.names.account}"
    pages = sns.get_paginator("list_subscriptions_by_topic").paginate(TopicArn=f"{arn}:{topic}")
    found = {s["Endpoint"]: s["SubscriptionArn"] for page in pages for s in page["Subscriptions"]}
    wanted = {
        queue_arn(topology.names, subscription.queue): subscription
        for consumer in topology.consumers
        for subscription in consumer.subscriptions
        if subscription.topic == topic
    }
    for endpoint, subscription in wanted.items():
        if endpoint not in found:
            yield Drift(resource=f"topic {topic}", what=f"has no subscription of {endpoint}")
        else:
            yield from _subscription(subscription, found[endpoint], sns)
    ours = {queue_arn(topology.names, queue.name) for queue in topology.queues}
    for endpoint in ours & found.keys() - wanted.keys():
        yield Drift(
            resource=f"topic {topic}",
            what=f"still sends to {endpoint}",
            mend=partial(sns.unsubscribe, SubscriptionArn=found[endpoint]),
        )


def _subscription(subscription: Subscription, arn: str, sns: Any) -> Iterator[Drift]:
    actual = sns.get_subscription_attributes(SubscriptionArn=arn)["Attributes"]
    policy = loads(actual.get("FilterPolicy") or "{}")
    where = f"subscription of {subscription.queue} to {subscription.topic}"
    expected = {"RawMessageDelivery": "true", "FilterPolicy": dict(subscription.filter or {})}
    now = {
        "RawMessageDelivery": str(actual.get("RawMessageDelivery")).lower(),
        "FilterPolicy": policy,
    }
    if what := differing(expected, now):

        def put() -> None:
            for name, value in expected.items():
                text = value if isinstance(value, str) else canonical(value)
                sns.set_subscription_attributes(
                    SubscriptionArn=arn, AttributeName=name, AttributeValue=text
                )

        yield Drift(resource=where, what=what, mend=put)


def _function(
    function: Function, statements: list[Statement], topology: Topology, clients: ClientFactory
) -> Iterator[Drift]:
    client = clients("lambda")
    actual = client.get_function_configuration(FunctionName=function.name)
    # What another shell handed on at its deployment is no drift in one that does not export it.
    unset = set(function.handed_on) - function.env.keys()
    variables = actual.get("Environment", {}).get("Variables", {})
    now = {
        "Handler": actual.get("Handler"),
        "Timeout": actual.get("Timeout"),
        "MemorySize": actual.get("MemorySize"),
        "Variables": {name: variables[name] for name in variables if name not in unset},
        "Runtime": actual.get("Runtime"),
    }
    expected = {
        "Handler": function.handler,
        "Timeout": function.timeout_s,
        "MemorySize": function.memory_mb,
        "Variables": dict(function.env),
        "Runtime": topology.runtime,
    }
    if what := differing(expected, now):
        request = {k: v for k, v in expected.items() if k != "Variables"}
        put = partial(
            client.update_function_configuration,
            FunctionName=function.name,
            Environment={"Variables": expected["Variables"]},
            **request,
        )
        yield Drift(resource=f"function {function.name}", what=what, mend=put)
    yield from _role(actual["Role"].rsplit("/", 1)[-1], function, statements, clients)


def _function_url(front: ServerFunction, clients: ClientFactory) -> Iterator[Drift]:
    client, name = clients("lambda"), front.function.name
    expected = {"AuthType": front.auth}
    if what := differing(expected, client.get_function_url_config(FunctionName=name)):
        put = partial(client.update_function_url_config, FunctionName=name, **expected)
        yield Drift(resource=f"URL of {name}", what=what, mend=put)


def _role(
    role: str, function: Function, statements: list[Statement], clients: ClientFactory
) -> Iterator[Drift]:
    iam = clients("iam")
    expected = {"Version": "2012-10-17", "Statement": statements}
    names = iam.list_role_policies(RoleName=role)["PolicyNames"]
    actual = (
        iam.get_role_policy(RoleName=role, PolicyName="work")["PolicyDocument"]
        if "work" in names
        else None
    )
    if actual != expected:
        yield Drift(
            resource=f"role of {function.name}",
            what="its policy is not the declared one",
            mend=partial(
                iam.put_role_policy,
                RoleName=role,
                PolicyName="work",
                PolicyDocument=canonical(expected),
            ),
        )


def _event_source(
    consumer: Consumer, topology: Topology, clients: ClientFactory
) -> Iterator[Drift]:
    client = clients("lambda")
    source = consumer.source
    where = f"event source of {consumer.function.name}"
    arn = queue_arn(topology.names, source.queue)
    function = consumer.function.name
    if consumer in topology.versioned:
        function = f"{function}:{LIVE}"
    living = _mappings(client, function, arn)
    if not living:
        yield Drift(resource=where, what="does not exist")
        return
    mapping, *doubles = living
    expected: dict[str, Any] = {
        "Enabled": source.enabled,
        "BatchSize": source.batch_size,
        "ScalingConfig": {"MaximumConcurrency": source.max_concurrency},
        "FunctionResponseTypes": ["ReportBatchItemFailures"],
    }
    if not consumer.queue.fifo:
        expected["MaximumBatchingWindowInSeconds"] = source.window_s
    now = {
        **mapping,
        "Enabled": mapping.get("State") != "Disabled",
        "MaximumBatchingWindowInSeconds": mapping.get("MaximumBatchingWindowInSeconds") or 0,
    }
    if what := differing(expected, now):
        put = partial(client.update_event_source_mapping, UUID=mapping["UUID"], **expected)
        yield Drift(resource=where, what=what, mend=put)
    for double in doubles:
        yield Drift(
            resource=where,
            what="exists twice",
            mend=partial(client.delete_event_source_mapping, UUID=double["UUID"]),
        )


def _mappings(client: Any, function: str, queue: str) -> list[dict[str, Any]]:
    """Return the mappings from a queue to a function, at rest if they come to it in time."""
    deadline = time.monotonic() + _SETTLING_S
    while True:
        listed = client.list_event_source_mappings(FunctionName=function, EventSourceArn=queue)
        found = [m for m in listed["EventSourceMappings"] if m.get("State") != "Deleting"]
        # An emulator lists those of a function's alias with its own.
        found = [m for m in found if m["FunctionArn"].endswith(f":{function}")]
        # Creating, Enabling, Disabling, Updating: its end is not known yet.
        if time.monotonic() > deadline or not any(m["State"].endswith("ing") for m in found):
            return found
        time.sleep(_POLL_S)
