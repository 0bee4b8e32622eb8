"""Difference: what a deployment would change, told before it does.

Read from what is deployed (its catalogue and its template) and from the plan; nothing is changed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Literal

from sqswarm.infra.deployment.schema_change import narrower_input, narrower_output
from sqswarm.schemas.catalogue import Catalogue, CatalogueEntry
from sqswarm.schemas.json import JsonObject, canonical

_KEEPS_DATA = frozenset(
    {"AWS::SQS::Queue", "AWS::DynamoDB::Table", "AWS::S3::Bucket", "AWS::Logs::LogGroup"}
)
_MAKES_ANEW = {
    "AWS::SQS::Queue": ("QueueName", "FifoQueue"),
    "AWS::DynamoDB::Table": ("TableName", "KeySchema"),
    "AWS::S3::Bucket": ("BucketName",),
    "AWS::Logs::LogGroup": ("LogGroupName",),
    "AWS::SNS::Topic": ("TopicName", "FifoTopic"),
    "AWS::Lambda::Function": ("FunctionName", "PackageType"),
    "AWS::IAM::Role": ("RoleName", "Path"),
}
"""Whose change has CloudFormation make a resource anew ("Update requires: Replacement")."""

_ALARM_USD = 0.10
_DASHBOARD_USD = 3.0
_POLLED_QUEUE_USD = 0.26
"""A month, us-east-1: CloudWatch pricing; and Lambda's five pollers of a queue, each a long poll of
20 s, at 0.40 dollars a million requests (AWS Lambda Developer Guide, "Using Lambda with SQS")."""

MORE_ACCESS = "more access"

Kind = Literal["added", "changed", "removed"]


@dataclass(frozen=True, kw_only=True)
class Left:
    """What a removed agent leaves behind: tasks under way, messages and dead letters.

    `more` where there are more tasks than were counted.
    """

    tasks: int = 0
    messages: int = 0
    dead_letters: int = 0
    more: bool = False

    def __bool__(self) -> bool:
        """Tell whether anything is left."""
        return bool(self.tasks or self.messages or self.dead_letters)

    def __str__(self) -> str:
        """Say it."""
        parts = {
            f"task{'' if self.tasks == 1 else 's'} under way": self.tasks,
            f"message{'' if self.messages == 1 else 's'} in its queue": self.messages,
            f"dead letter{'' if self.dead_letters == 1 else 's'}": self.dead_letters,
        }
        more = "more than " if self.more else ""
        return more + ", ".join(f"{number:,} {what}" for what, number in parts.items() if number)


@dataclass(frozen=True, kw_only=True)
class AgentChange:
    """What becomes of one agent; `breaks` is what callers or readers lose."""

    agent: str
    kind: Kind
    what: tuple[str, ...] = ()
    breaks: tuple[str, ...] = ()
    left: Left = Left()

    def to_json(self) -> JsonObject:
        """Return it as JSON."""
        left = {
            "tasks": self.left.tasks,
            "messages": self.left.messages,
            "deadLetters": self.left.dead_letters,
        }
        return {
            "agent": self.agent,
            "kind": self.kind,
            "what": list(self.what),
            "breaks": list(self.breaks),
            **({"left": left} if self.kind == "removed" else {}),
        }


@dataclass(frozen=True, kw_only=True)
class ResourceChange:
    """What becomes of one resource; `replaced` where it is made anew. `loses` is data."""

    resource: str
    type: str
    kind: Kind
    replaced: bool = False

    @property
    def loses(self) -> bool:
        """Tell whether what it holds is gone afterwards."""
        return self.type in _KEEPS_DATA and (self.replaced or self.kind == "removed")

    def to_json(self) -> JsonObject:
        """Return it as JSON."""
        return {
            "resource": self.resource,
            "type": self.type,
            "kind": self.kind,
            "replaced": self.replaced,
            "losesData": self.loses,
        }


@dataclass(frozen=True, kw_only=True)
class Difference:
    """What a deployment would change. `first` where nothing stands yet; `widened` is access."""

    first: bool
    agents: tuple[AgentChange, ...]
    resources: tuple[ResourceChange, ...]
    widened: tuple[str, ...]
    code_changed: bool
    idle_usd: float
    was_idle_usd: float

    def __bool__(self) -> bool:
        """Tell whether anything would change."""
        return bool(self.first or self.agents or self.resources or self.code_changed)

    @property
    def at_stake(self) -> tuple[str, ...]:
        """Return what somebody should agree to first: data that goes, access that grows."""
        if self.first:
            return ()
        removed = [one for one in self.agents if one.kind == "removed"]
        gone = [f"{one.agent} is removed: {one.left} stay behind" for one in removed if one.left]
        kept = [
            f"{one.resource} ({one.type}) is made anew: what it holds is lost"
            for one in self.resources
            if one.loses and one.replaced
        ]
        return (*gone, *kept, *(f"{MORE_ACCESS}: {one}" for one in self.widened))

    def to_json(self) -> JsonObject:
        """Return it as JSON."""
        return {
            "changed": bool(self),
            "first": self.first,
            "agents": [one.to_json() for one in self.agents],
            "resources": [one.to_json() for one in self.resources],
            "widened": list(self.widened),
            "codeChanged": self.code_changed,
            "atStake": list(self.at_stake),
            "idleUsdPerMonth": round(self.idle_usd, 2),
            "wasIdleUsdPerMonth": round(self.was_idle_usd, 2),
        }


def difference(
    *,
    old: Catalogue | None,
    new: Catalogue,
    old_template: JsonObject | None,
    new_template: JsonObject,
    code_changed: bool,
) -> Difference:
    """Return what would change between what is deployed (None: nothing is) and what is planned."""
    before = (old_template or {}).get("Resources", {})
    after = new_template["Resources"]
    return Difference(
        first=old is None,
        agents=tuple(_agents({} if old is None else old.agents, new.agents)),
        resources=tuple(_resources(before, after)),
        widened=tuple(_widened(before, after)),
        code_changed=code_changed,
        idle_usd=_idle_usd(after),
        was_idle_usd=_idle_usd(before),
    )


def with_left(seen: Difference, left: Mapping[str, Left]) -> Difference:
    """Return a difference that says what removed agents leave behind."""
    agents = (replace(one, left=left.get(one.agent, Left())) for one in seen.agents)
    return replace(seen, agents=tuple(agents))


def _agents(
    old: Mapping[str, CatalogueEntry], new: Mapping[str, CatalogueEntry]
) -> Iterator[AgentChange]:
    for name in sorted(old.keys() | new.keys()):
        if name not in old:
            yield AgentChange(agent=name, kind="added", what=(new[name].description[:80],))
        elif name not in new:
            yield AgentChange(agent=name, kind="removed")
        elif old[name] != new[name]:
            yield AgentChange(
                agent=name,
                kind="changed",
                what=tuple(_fields(old[name], new[name])),
                breaks=(
                    *narrower_input(old[name].input_schema, new[name].input_schema),
                    *narrower_output(old[name].output_schema, new[name].output_schema),
                ),
            )


_TOLD_APART = {
    "input_schema": "arguments",
    "output_schema": "result",
    "description": "description",
    "title": "description",
    "as_tool": "its MCP tool",
}


def _fields(old: CatalogueEntry, new: CatalogueEntry) -> Iterator[str]:
    told = set()
    for name, before in vars(old).items():
        after = getattr(new, name)
        if before == after:
            continue
        if (word := _TOLD_APART.get(name)) is None:
            yield f"{name.removesuffix('_s')}: {_shown(before)}, now {_shown(after)}"
        elif word not in told:
            told.add(word)
            yield word


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        named = [getattr(one, "topic", None) or getattr(one, "expression", one) for one in value]
        return ", ".join(map(str, named)) or "none"
    return "every agent" if value is None else str(getattr(value, "value", value))


def _resources(before: JsonObject, after: JsonObject) -> Iterator[ResourceChange]:
    for title in sorted(before.keys() | after.keys()):
        one = after.get(title) or before[title]
        if title not in before:
            yield ResourceChange(resource=title, type=one["Type"], kind="added")
        elif title not in after:
            yield ResourceChange(resource=title, type=one["Type"], kind="removed")
        elif canonical(before[title]) != canonical(after[title]):
            old, new = before[title].get("Properties", {}), one.get("Properties", {})
            anew = any(old.get(p) != new.get(p) for p in _MAKES_ANEW.get(one["Type"], ()))
            yield ResourceChange(resource=title, type=one["Type"], kind="changed", replaced=anew)


def _widened(before: JsonObject, after: JsonObject) -> Iterator[str]:
    """Yield what roles that stand already may do in addition."""
    for title in sorted(before.keys() & after.keys()):
        if after[title]["Type"] == "AWS::IAM::Role":
            more = Counter(_allowed(after[title])) - Counter(_allowed(before[title]))
            for action, resource, condition in more:
                where = f" where {condition}" if condition else ""
                yield f"{title}: {action} on {resource}{where}"


def _allowed(role: JsonObject) -> Iterator[tuple[str, str, str]]:
    for policy in role.get("Properties", {}).get("Policies", ()):
        for statement in policy["PolicyDocument"]["Statement"]:
            if statement["Effect"] == "Allow":
                condition = canonical(statement["Condition"]) if "Condition" in statement else ""
                for action in _listed(statement["Action"]):
                    for resource in _listed(statement["Resource"]):
                        yield action, _arn(resource), condition


def _listed(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _arn(resource: Any) -> str:
    """Return a resource's ARN without account and region, which are the stage's own."""
    text = resource if isinstance(resource, str) else next(iter(resource.values()))
    return str(text if isinstance(text, str) else canonical(text)).rpartition("}:")[2]


def _idle_usd(resources: JsonObject) -> float:
    """Return what stands there costs in a month in which nothing is done, about."""
    kinds = Counter(one["Type"] for one in resources.values())
    return (
        kinds["AWS::CloudWatch::Alarm"] * _ALARM_USD
        + kinds["AWS::CloudWatch::Dashboard"] * _DASHBOARD_USD
        + kinds["AWS::Lambda::EventSourceMapping"] * _POLLED_QUEUE_USD
    )
