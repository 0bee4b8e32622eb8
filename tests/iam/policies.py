"""The deployed policies, and what ministack's evaluator says of recorded requests under others."""

import importlib.util
import re
import sys
from functools import cache

from sqswarm.infra.local.environment import environment_python

ACCOUNT, REGION = "000000000000", "us-east-1"


@cache
def evaluator():
    """Load ministack's evaluator from its own environment: it needs nothing beside it."""
    python = environment_python("ministack", print)
    [path] = python.parents[1].glob("lib/python*/site-packages/ministack/core/iam_evaluator.py")
    spec = importlib.util.spec_from_file_location("ministack_iam_evaluator", path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


def deployed(stage):
    """Return each role's statements, as IAM keeps them."""
    iam = stage.account("iam")
    return {
        role: iam.get_role_policy(RoleName=name, PolicyName="work")["PolicyDocument"]["Statement"]
        for role, name in stage.role_names.items()
    }


def allows(statements, ask):
    """Tell whether a policy of `statements` allows a recorded request."""
    module = evaluator()
    context = module.EvalContext(
        principal_arn=f"arn:aws:sts::{ACCOUNT}:assumed-role/proof/proof",
        principal_type="AssumedRole",
        principal_account=ACCOUNT,
        action=ask["action"],
        resource_arn=ask["resource"],
        region=REGION,
        source_ip="127.0.0.1",
        secure_transport=True,
        service_context={name.lower(): value for name, value in ask["keys"].items()},
    )
    parsed = module.parse_policy_document({"Statement": statements})
    return module.evaluate(context, [parsed]).decision == "Allow"


def asked_by_role(stage):
    """Return the distinct requests of each role, those of AWS's own services included."""
    found = {}
    for told in stage.asked:
        distinct = (told["action"], told["resource"], repr(told["keys"]))
        found.setdefault(told["role"], {})[distinct] = told
    for role, requests in _of_services(stage).items():
        for action, resource in requests:
            found.setdefault(role, {})[action, resource] = {
                "role": role, "action": action, "resource": resource, "keys": {}
            }  # fmt: skip
    return {role: list(requests.values()) for role, requests in found.items()}


def _of_services(stage):
    """Return what Lambda and ECS ask with a role, by themselves.

    Source: Lambda Developer Guide, "Execution role", "SQS event source: permissions" and "X-Ray";
    Amazon ECS Developer Guide, "Task execution IAM role".
    """
    here = f"{REGION}:{ACCOUNT}"
    found = {}
    functions = {**{name: name for name in stage.plan.specs if name != "hauler"},
                 "unrouted": "housekeeping", "dispatcher": "dispatcher"}  # fmt: skip
    for role, name in functions.items():
        log = f"arn:aws:logs:{here}:log-group:/aws/lambda/sqswarm-iam-{name}:log-stream:x"
        found[role] = [
            ("logs:CreateLogStream", log),
            ("logs:PutLogEvents", log),
            ("xray:PutTraceSegments", "*"),
            ("xray:PutTelemetryRecords", "*"),
        ]
        if role != "dispatcher":
            queue = stage.queue(role).rpartition("/")[2]
            found[role].append(("sqs:GetQueueAttributes", f"arn:aws:sqs:{here}:{queue}"))
    log = f"arn:aws:logs:{here}:log-group:/aws/ecs/sqswarm-iam:log-stream:x"
    image = f"arn:aws:ecr:{here}:repository/image"
    found["containerstarter"] = [
        ("ecr:GetAuthorizationToken", "*"),
        ("ecr:BatchCheckLayerAvailability", image),
        ("ecr:BatchGetImage", image),
        ("ecr:GetDownloadUrlForLayer", image),
        ("logs:CreateLogStream", log),
        ("logs:PutLogEvents", log),
    ]
    return found


def needless_statements(policies, asked):
    """Return the statements without which every recorded request is allowed still."""
    return [
        f"{role}: {statement['Sid']}"
        for role, statements in policies.items()
        for n, statement in enumerate(statements)
        if all(allows(statements[:n] + statements[n + 1 :], ask) for ask in asked[role])
    ]


def needless_parts(policies, asked):
    """Return actions and keys that no role of a kind would miss, as `kind: Sid: part`.

    Agents are of one kind: what only some of them happened to do, all may.
    """
    needed, given = set(), set()
    for role, statements in policies.items():
        kind = role if role in {"unrouted", "dispatcher", "containerstarter"} else "agent"
        for n, statement in enumerate(statements):
            for part, less in _without_one(statement):
                told = f"{kind}: {statement['Sid']}: {_plain(part)}"
                given.add(told)
                others = [*statements[:n], *([less] if less else []), *statements[n + 1 :]]
                if not all(allows(others, ask) for ask in asked[role]):
                    needed.add(told)
    return sorted(given - needed)


def _without_one(statement):
    """Yield each action and each leading key, and the statement without it."""
    actions = statement["Action"]
    for action in actions:
        left = [other for other in actions if other != action]
        yield action, {**statement, "Action": left} if left else None
    condition = statement.get("Condition", {})
    keys = condition.get("ForAllValues:StringLike", {}).get("dynamodb:LeadingKeys", [])
    for key in keys:
        left = {"dynamodb:LeadingKeys": [other for other in keys if other != key]}
        less = {**statement, "Condition": {**condition, "ForAllValues:StringLike": left}}
        yield key, less if left["dynamodb:LeadingKeys"] else None
    joined = condition.get("ForAllValues:StringEquals", {}).get("dynamodb:Attributes", [])
    for name in joined:
        left = {"dynamodb:Attributes": [other for other in joined if other != name]}
        yield name, {**statement, "Condition": {**condition, "ForAllValues:StringEquals": left}}


def _plain(part):
    """Return a leading key without the agent's name."""
    return re.sub(r"^(task|session|ledger|spend#agent|rate)#[^#*]+", r"\1#AGENT", part)
