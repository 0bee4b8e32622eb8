"""What each role may do: exactly what its function does, on exactly its own items and resources.

The table is one: `dynamodb:LeadingKeys` draws the borders within it. Every such statement asks
for the key's presence too (`Null`), because a request that names no key passes `ForAllValues`.
A statement that needs the resource `*` says why; no action is a wildcard. tests/iam shows of each
statement that something needs it, and of the acts between them that nothing allows them.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from sqswarm.infra.resources import Consumer, Function, ServerFunction, Topology
from sqswarm.infra.template.logical import text
from sqswarm.infra.template.messaging import queue_arn
from sqswarm.infra.template.storage import STATUS_INDEX, SWEEP_INDEX, bucket_arn, table_arn
from sqswarm.schemas.activity import activity_partition
from sqswarm.schemas.agent_spec import AgentSpec, Durability, Keeps
from sqswarm.schemas.catalogue import CATALOGUE_KEY
from sqswarm.schemas.errors import InvalidAgent
from sqswarm.schemas.json import JsonObject, canonical
from sqswarm.schemas.naming import Names
from sqswarm.schemas.notice import WEBHOOK_AGENT, TargetKind, target_of
from sqswarm.schemas.paused import PAUSED_KEY

Statement = dict[str, Any]

POLICY_LIMIT = 10_240
"""Characters of a role's inline policies, white space not counted. Source: IAM quotas."""

_MANY = 45
"""Resources of a statement that has a managed policy to itself: 6,144 characters hold as many of
the longest names. Source: IAM quotas."""

_MANAGED_LIMIT = 10
"""Managed policies of a role, by default. Source: IAM quotas."""

_ARN_LENGTHS = {"${AWS::Partition}": 10, "${AWS::Region}": 14, "${AWS::AccountId}": 12}
"""As long as they get: `aws-us-gov`, `ap-southeast-5`."""

_CONSUME = (
    "sqs:ReceiveMessage",
    "sqs:DeleteMessage",
    "sqs:ChangeMessageVisibility",
)
_ASKED_BY_LAMBDA = "sqs:GetQueueAttributes"
"""Of a queue that it polls."""
_READ = ("dynamodb:GetItem", "dynamodb:BatchGetItem")
_WRITE = ("dynamodb:UpdateItem", "dynamodb:PartiQLInsert", "dynamodb:PartiQLUpdate")
_JOURNAL = (
    "dynamodb:Query",
    "dynamodb:ConditionCheckItem",  # a step's outcome is recorded only under the task's lease
)
_TELLS = {
    TargetKind.TOPIC: ("TellTopics", "sns:Publish"),
    TargetKind.QUEUE: ("TellQueues", "sqs:SendMessage"),
    TargetKind.EVENT_BUS: ("TellEventBuses", "events:PutEvents"),
}
_JOIN = (
    *("pk", "sk", "status", "pending", "phase"),
    *("v", "lease_until", "attempt", "updated", "resumed", "due_at", "due_shard"),
)
"""What a child changes and compares in its parent's record as it ends (protocol: count, fire)."""


def agent_statements(consumer: Consumer, topology: Topology) -> list[Statement]:
    """Return what one agent's function may do, its declared permissions last.

    Raises InvalidAgent where it is more than a role's policy holds.
    """
    return _checked_size(
        consumer,
        [
            *_work(consumer, topology),
            *_report(consumer.function, topology.names),
            *_hand_over(consumer, topology),
            *_tell(consumer, topology),
            *_declared(consumer),
        ],
    )


def _hand_over(consumer: Consumer, topology: Topology) -> list[Statement]:
    """Return what it takes to hand a task over to the version that it began with: its own alone."""
    if consumer not in topology.versioned or Keeps.JOURNAL not in _spec(consumer).keeps:
        return []
    names = topology.names
    own = f"arn:{names.partition}:lambda:{names.region}:{names.account}:function"
    versions = f"{own}:{consumer.function.name}:*"
    return [_allow("HandOver", ("lambda:InvokeFunction",), [versions])]


def container_statements(consumer: Consumer, topology: Topology) -> list[Statement]:
    """Return what one agent's containers may do; their log is written by who starts them.

    Raises InvalidAgent as `agent_statements` does.
    """
    consume, *others = _work(consumer, topology)
    consume["Action"].remove(_ASKED_BY_LAMBDA)
    told = _tell(consumer, topology)
    return _checked_size(consumer, [consume, *others, *told, *_declared(consumer)])


def _tell(consumer: Consumer, topology: Topology) -> list[Statement]:
    """Return what it takes to tell of the ends of an agent's tasks, whoever may be named for it.

    A webhook is told by the agent for that: its task is made as a child is, and sent to its queue.
    """
    told = {*topology.notify, *_spec(consumer).notify}
    statements = _told(sorted(told))
    webhooks = any(target_of(one).kind is TargetKind.WEBHOOK for one in told)
    carrier = next((one for one in topology.agents if one.key == WEBHOOK_AGENT), None)
    if webhooks and carrier is not None and carrier is not consumer:
        names = topology.names
        task = [f"task#{carrier.key}#*"]
        statements += [
            _items(
                names, "StartWebhooks", ("dynamodb:PartiQLInsert", "dynamodb:BatchGetItem"), task
            ),
            _allow("CallWebhooks", ("sqs:SendMessage",), [queue_arn(names, carrier.queue.name)]),
        ]
    return statements


def _told(told: Iterable[str]) -> list[Statement]:
    """Return what it takes to tell topics, queues and event buses, each by its kind's action."""
    by_kind: dict[TargetKind, list[str]] = {}
    for address in told:
        by_kind.setdefault(target_of(address).kind, []).append(address)
    return [
        _allow(sid, (action,), by_kind[kind])
        for kind, (sid, action) in _TELLS.items()
        if kind in by_kind
    ]


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
    spec, names = _spec(consumer), topology.names
    has_context = Keeps.JOURNAL in spec.keeps
    callees = topology.callees(consumer)
    callers = [caller for caller in topology.callers(consumer) if caller is not consumer]
    own = [queue_arn(names, consumer.queue.name)]
    events = [f"topic.{subscription.topic}" for subscription in spec.subscriptions]
    statements = [
        _allow("Consume", (*_CONSUME, _ASKED_BY_LAMBDA), own),
        _allow("PutAside", ("sqs:SendMessage",), [queue_arn(names, consumer.dead_letters.name)]),
        _items(
            names,
            "Own",
            (*_READ, *_WRITE, *(_JOURNAL if has_context else ())),
            _own_items(spec),
        ),
        # What it has told stays as it is, and is none of its own business.
        _items(names, "Activity", ("dynamodb:PartiQLInsert",), [activity_partition(spec.name)]),
        _objects(names, "Payloads", ("s3:GetObject", "s3:PutObject"), [spec.name]),
        _catalogue(names),
    ]
    if events:
        statements.append(_objects(names, "Events", ("s3:GetObject",), events))
    waits = has_context and (callees or not spec.ordered)
    if waits or spec.joins is not None or spec.limit is not None:
        # A task that sleeps for minutes leaves itself a delayed message (no FIFO queue takes one),
        # one whose children are done is sent to work again, so is one that has all its events, and
        # one that waits long for a slot is sent anew.
        statements.append(_allow("WakeUp", ("sqs:SendMessage",), own))
    if shared := _shared_items(spec):
        statements.append(
            _items(names, "Shared", ("dynamodb:GetItem", "dynamodb:UpdateItem"), shared)
        )
    others = [callee for callee in callees if callee is not consumer]
    children = _children(others, names, anybody=spec.calls is None)
    events_out = _events(consumer, topology)
    return [*statements, *events_out, *children, *_parents(callers, names, called=others)]


def _events(consumer: Consumer, topology: Topology) -> list[Statement]:
    """Return what an agent may do whose results are events: publish them to its topic alone.

    A subscriber that keeps a record before it works gets one, which nobody changes here. A large
    event is left in S3, where nothing is yet (S3 User Guide, "Enforce conditional writes").
    """
    topic, names = _spec(consumer).publishes, topology.names
    topics = topology.result_topics([consumer])
    if topic is None or not topics:
        return []
    recorded = [
        f"task#{listener.key}#*"
        for listener in topology.listeners(consumer)
        if _spec(listener).durability is Durability.DURABLE
    ]
    statements = [
        _publish("PublishResults", names, topics),
        {
            **_objects(names, "LeaveEvents", ("s3:PutObject",), [f"topic.{topic}"]),
            "Condition": {"Null": {"s3:if-none-match": "false"}},
        },
    ]
    if recorded:
        actions = ("dynamodb:PartiQLInsert", "dynamodb:BatchGetItem")
        statements.append(_items(names, "RecordEvents", actions, recorded))
    return statements


def _own_items(spec: AgentSpec) -> list[str]:
    name = spec.name
    kept = {
        f"task#{name}#*": True,
        f"session#{name}#*": Keeps.JOURNAL in spec.keeps,
        f"ledger#{name}#*": Keeps.LEDGER in spec.keeps,
        f"spend#agent#{name}": Keeps.AGENT_PURSE in spec.keeps,
        f"rate#{name}": spec.rate is not None,
        f"limit#{name}#*": spec.limit is not None,
    }
    return [key for key, wanted in kept.items() if wanted]


def _shared_items(spec: AgentSpec) -> list[str]:
    """Return what several agents count together: an account's pauses, a principal's day."""
    kept = {"pause#*": Keeps.LEDGER, "spend#principal#*": Keeps.PRINCIPAL_PURSE}
    return [key for key, kind in kept.items() if kind in spec.keeps]


def _children(callees: Sequence[Consumer], names: Names, *, anybody: bool) -> list[Statement]:
    """Return what a parent may do: make records, never change them; read what came of them.

    One that may call `anybody` is not told every name: IAM would not take many.
    """
    if not callees:
        return []
    called = ["*"] if anybody else [callee.key for callee in callees]
    return [
        _items(
            names,
            "StartTasks",
            ("dynamodb:PartiQLInsert", "dynamodb:BatchGetItem"),
            ["task#*"] if anybody else [f"task#{name}#*" for name in called],
        ),
        _allow("Call", ("sqs:SendMessage",), [queue_arn(names, c.queue.name) for c in callees]),
        # Only what is not there yet (S3 User Guide, "Enforce conditional writes").
        {
            **_objects(names, "GiveArguments", ("s3:PutObject",), called),
            "Condition": {"Null": {"s3:if-none-match": "false"}},
        },
        _objects(names, "ReadResults", ("s3:GetObject",), called),
    ]


def _parents(
    callers: Sequence[Consumer], names: Names, *, called: Sequence[Consumer]
) -> list[Statement]:
    """Return what a child may do as it ends: count itself in its parent, and send that to work.

    To the queues of those that it calls itself it may send anyway.
    """
    if not callers:
        return []
    join = _items(
        names, "Join", ("dynamodb:UpdateItem",), [f"task#{caller.key}#*" for caller in callers]
    )
    join["Condition"]["ForAllValues:StringEquals"] = {"dynamodb:Attributes": list(_JOIN)}
    join["Condition"]["Null"]["dynamodb:Attributes"] = "false"
    queues = [queue_arn(names, caller.queue.name) for caller in callers if caller not in called]
    return [join, *([_allow("ResumeParents", ("sqs:SendMessage",), queues)] if queues else [])]


def housekeeping_statements(topology: Topology) -> list[Statement]:
    """Return what housekeeping may do: look after every task and queue of the stage, run none."""
    names = topology.names
    letters = [queue_arn(names, s.dead_letters.name) for s in topology.agents]
    unrouted = topology.unrouted
    return [
        _allow(
            "Consume",
            ("sqs:ReceiveMessage", "sqs:DeleteMessage", _ASKED_BY_LAMBDA),
            [queue_arn(names, unrouted.queue.name)],
        ),
        _allow("LookThrough", (*_CONSUME, "sqs:SendMessage"), letters),
        _allow("PutAside", ("sqs:SendMessage",), [queue_arn(names, unrouted.dead_letters.name)]),
        _items(names, "Tasks", (*_READ, *_WRITE), ["task#*"]),
        _items(names, "Activity", ("dynamodb:PartiQLInsert",), [activity_partition("*")]),
        _allow("Due", ("dynamodb:Query",), [f"{table_arn(names)}/index/{SWEEP_INDEX}"]),
        _objects(names, "Payloads", ("s3:GetObject", "s3:PutObject"), ["*"]),
        _catalogue(names),
        _publish(
            "StartTasks",
            names,
            [*topology.task_topics, *topology.result_topics(topology.agents)],
        ),
        *_told(topology.told),
        *_report(unrouted.function, names),
    ]


def server_statements(server: ServerFunction, topology: Topology) -> list[Statement]:
    """Return what the server may do: start tasks and events, and look after what is there."""
    names = topology.names
    # No FIFO queue delays a message: there a delayed task sleeps in the table.
    queues = [queue_arn(names, s.queue.name) for s in topology.agents if not s.queue.fifo]
    topics = [topic.name for topic in topology.topics]
    return [
        _items(names, "Tasks", (*_READ, *_WRITE), ["task#*"]),
        _items(names, "Activity", ("dynamodb:Query",), [activity_partition("*")]),
        _allow(
            "List",
            ("dynamodb:Query",),
            [f"{table_arn(names)}/index/{index}" for index in (STATUS_INDEX, SWEEP_INDEX)],
        ),
        _objects(names, "Payloads", ("s3:GetObject", "s3:PutObject"), ["*"]),
        _catalogue(names),
        _publish("Publish", names, topics),
        _allow("Delay", ("sqs:SendMessage",), queues),
        *_told(topology.told),
        *_report(server.function, names),
        *(_checked(statement, "the server") for statement in server.permissions),
    ]


def _allow(sid: str, actions: Iterable[str], resources: list[str]) -> Statement:
    return {
        "Sid": sid,
        "Effect": "Allow",
        "Action": list(actions),
        "Resource": [text(resource) for resource in resources],
    }


def _items(names: Names, sid: str, actions: Iterable[str], keys: list[str]) -> Statement:
    """Allow actions on the items whose partition keys are like `keys`."""
    return {
        **_allow(sid, actions, [table_arn(names)]),
        "Condition": {
            "ForAllValues:StringLike": {"dynamodb:LeadingKeys": keys},
            "Null": {"dynamodb:LeadingKeys": "false"},
        },
    }


def _objects(names: Names, sid: str, actions: Iterable[str], owners: list[str]) -> Statement:
    """Allow actions on the payloads of agents and topics. Nobody lists: then S3 hides what is."""
    bucket = bucket_arn(names)
    return _allow(sid, actions, [f"{bucket}/payloads/{owner}/*" for owner in owners])


def _catalogue(names: Names) -> Statement:
    """Return what reads what is deployed, and what of it is paused."""
    kept = [f"{bucket_arn(names)}/{key}" for key in (CATALOGUE_KEY, PAUSED_KEY)]
    return _allow("Catalogue", ("s3:GetObject",), kept)


def _publish(sid: str, names: Names, topics: Iterable[str]) -> Statement:
    prefix = f"arn:{names.partition}:sns:{names.region}:{names.account}"
    return _allow(sid, ("sns:Publish",), [f"{prefix}:{topic}" for topic in topics])


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


def _spec(consumer: Consumer) -> AgentSpec:
    if consumer.spec is None:
        message = f"{consumer.key} is no agent"
        raise TypeError(message)
    return consumer.spec


def _declared(consumer: Consumer) -> list[Statement]:
    return [_checked(s, f"agent {consumer.key!r}") for s in _spec(consumer).permissions]


def _checked(statement: JsonObject, agent: str) -> Statement:
    complete = {"Effect": "Allow", **statement}
    if not ({"Action", "NotAction"} & complete.keys()) or "Resource" not in complete:
        message = f"{agent} declares a permission without Action or Resource: {statement}"
        raise InvalidAgent(
            message,
            hint='permissions=[{"Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::mine/*"]}]',
        )
    return complete


def _checked_size(consumer: Consumer, statements: list[Statement]) -> list[Statement]:
    """Return the statements; raises InvalidAgent where IAM would not take so many."""
    size = _size(statements)
    if size > POLICY_LIMIT:
        message = (
            f"the role of agent {consumer.key!r} needs a policy of {size:,} characters, "
            f"and IAM takes {POLICY_LIMIT:,}: it calls, or is called by, too many agents"
        )
        raise InvalidAgent(
            message,
            hint="Declare on each agent whom it calls, @agent(calls=[...]), or let one agent in "
            "between call the many.",
        )
    return statements


def fitted(statements: list[Statement]) -> tuple[list[Statement], list[Statement]]:
    """Return what stands in a role's own policy, and statements that need one each beside it.

    All of it is its own where IAM takes it: only what names each of very many agents is not.
    Raises InvalidAgent where those are more than a role takes.
    """
    if _size(statements) <= POLICY_LIMIT:
        return statements, []
    own = [one for one in statements if len(_listed(one["Resource"])) <= _MANY]
    further = [
        {**one, "Resource": one["Resource"][start : start + _MANY]}
        for one in statements
        if one not in own
        for start in range(0, len(one["Resource"]), _MANY)
    ]
    if len(further) > _MANAGED_LIMIT:
        message = f"a role that reaches every agent takes {_MANAGED_LIMIT * _MANY} agents at most"
        raise InvalidAgent(message, hint="Put the others in another stage.")
    return own, further


def _size(statements: list[Statement]) -> int:
    """Return the characters that IAM counts, at most."""
    plain = [{**s, "Resource": [_plain(r) for r in _listed(s["Resource"])]} for s in statements]
    policy = canonical({"Version": "2012-10-17", "Statement": plain})
    for variable, length in _ARN_LENGTHS.items():
        policy = policy.replace(variable, "x" * length)
    return len(policy)


def _listed(resource: Any) -> list[Any]:
    return resource if isinstance(resource, list) else [resource]


def _plain(resource: Any) -> str:
    return resource if isinstance(resource, str) else str(resource.data["Fn::Sub"])
