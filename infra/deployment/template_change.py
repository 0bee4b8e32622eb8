"""What a changed CloudFormation template does to resources, access and the idle stage's cost."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, Literal

from sqswarm.schemas.json import JsonObject, canonical

Kind = Literal["added", "changed", "removed"]

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


def resource_changes(before: JsonObject, after: JsonObject) -> Iterator[ResourceChange]:
    """Yield what becomes of the resources of a template."""
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


def widened_access(before: JsonObject, after: JsonObject) -> Iterator[str]:
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


def idle_usd(resources: JsonObject) -> float:
    """Return what stands there costs in a month in which nothing is done, about."""
    kinds = Counter(one["Type"] for one in resources.values())
    return (
        kinds["AWS::CloudWatch::Alarm"] * _ALARM_USD
        + kinds["AWS::CloudWatch::Dashboard"] * _DASHBOARD_USD
        + kinds["AWS::Lambda::EventSourceMapping"] * _POLLED_QUEUE_USD
    )
