"""Notices: whom the end of a task is told to, and what they are told.

A notice is a CloudEvent (1.0, structured JSON), the same for every kind of target. It holds no
arguments, no result and no error message: who is told asks for those, as who may see the task.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Sequence
from dataclasses import field
from enum import StrEnum
from urllib.parse import urlsplit

from sqswarm.schemas.errors import NotifyRefused
from sqswarm.schemas.json import JsonObject, dumps, name_fault
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.naming import Names
from sqswarm.schemas.settings import DEFAULT_REGION, LOOPBACK_HOSTS
from sqswarm.schemas.tags import Tags
from sqswarm.schemas.value import dataclass

WEBHOOK_AGENT = "webhook"
WEBHOOK_MODULE = "sqswarm.workers.agents.webhook"
"""Where the agent is that carries notices to webhooks; listed among a project's agent modules."""

WEBHOOKS_VARIABLE = "SQSWARM_WEBHOOKS"
"""Of that agent: a JSON object, the URL of each webhook with the reference to its secret."""

MOST_TARGETS = 5
TARGET_LIMIT = 512
"""Characters."""

_ARN = re.compile(r"arn:(aws[a-z-]*):(sns|sqs|events):([a-z0-9-]+):([0-9]{12}):(.+)")
_QUEUE_PATH = re.compile(r"(?:/queue/([a-z0-9-]+))?/([0-9]{12})/([A-Za-z0-9_-]{1,80}(?:\.fifo)?)")
"""LocalStack's has the region too."""
_QUEUE_HOST = re.compile(
    r"sqs\.([a-z0-9-]+)\.(amazonaws\.com(?:\.cn)?|localhost\.localstack\.cloud)"
)
_PARTITIONS = {"cn": "aws-cn", "us-gov": "aws-us-gov"}
_HINT = (
    "An SNS topic's ARN, an SQS queue's ARN or URL, an EventBridge bus's ARN "
    "(arn:aws:events:REGION:ACCOUNT:event-bus/NAME), or a webhook's https:// address."
)


class TargetKind(StrEnum):
    """What is told."""

    TOPIC = "sns"
    QUEUE = "sqs"
    EVENT_BUS = "events"
    WEBHOOK = "webhook"


@dataclass(frozen=True, kw_only=True)
class Target:
    """Somebody to tell. `address` is an ARN, or a webhook's URL; `name` a topic's, queue's, bus's.

    `region` and `account` are empty of a webhook.
    """

    kind: TargetKind
    address: str
    name: str = ""
    region: str = ""
    account: str = ""


def target_of(text: str, *, region: str | None = None) -> Target:
    """Return whom `text` names. A queue's URL beside an emulator says no region: it is `region`.

    Raises NotifyRefused for what names nobody.
    """
    if not isinstance(text, str) or len(text) > TARGET_LIMIT or name_fault(text):
        message = f"notify={str(text)[:80]!r} is no text of up to {TARGET_LIMIT} characters"
        raise NotifyRefused(message, hint=_HINT)
    if (found := _ARN.fullmatch(text)) is not None:
        _, service, where, account, name = found.groups()
        kind = TargetKind(service)
        name = name.removeprefix("event-bus/") if kind is TargetKind.EVENT_BUS else name
        if not re.fullmatch(r"[A-Za-z0-9_./-]{1,256}", name):
            message = f"notify={text!r} names no topic, queue or event bus"
            raise NotifyRefused(message, hint=_HINT)
        return Target(kind=kind, address=text, name=name, region=where, account=account)
    try:
        parts = urlsplit(text)
        host = (parts.hostname or "").lower()
        _ = parts.port
    except ValueError as error:
        message = f"notify={text!r} is no address: {error}"
        raise NotifyRefused(message, hint=_HINT) from error
    queue = _QUEUE_PATH.fullmatch(parts.path)
    service_host = _QUEUE_HOST.fullmatch(host)
    if queue is not None and (service_host or (parts.scheme == "http" and host in LOOPBACK_HOSTS)):
        where = (service_host and service_host[1]) or queue[1] or region or DEFAULT_REGION
        partition = _PARTITIONS.get(where.rsplit("-", 2)[0], "aws")
        _, account, name = queue.groups()
        address = f"arn:{partition}:sqs:{where}:{account}:{name}"
        return Target(
            kind=TargetKind.QUEUE, address=address, name=name, region=where, account=account
        )
    local = parts.scheme == "http" and host in LOOPBACK_HOSTS  # the webhook agent refuses it on AWS
    if not host or parts.username is not None or not (parts.scheme == "https" or local):
        message = f"notify={text!r} is neither an ARN nor an https:// address"
        raise NotifyRefused(message, hint=_HINT)
    return Target(kind=TargetKind.WEBHOOK, address=text)


def targets_of(
    notify: str | Sequence[str] | None,
    *,
    region: str | None = None,
    most: int | None = MOST_TARGETS,
) -> tuple[str, ...]:
    """Return the targets that are named, each once; raises NotifyRefused for what names nobody.

    `region` is that of a queue whose URL does not say it.
    """
    if notify is None:
        return ()
    if not isinstance(notify, str | list | tuple):
        message = f"notify is a {type(notify).__name__}, no address or list of them"
        raise NotifyRefused(message, hint=_HINT)
    given = (notify,) if isinstance(notify, str) else tuple(notify)
    named = tuple(dict.fromkeys(target_of(one, region=region).address for one in given))
    if most is not None and len(named) > most:
        message = f"notify names {len(named)} targets, and {most} are possible"
        raise NotifyRefused(message, hint="Name an SNS topic that the others subscribe to.")
    return named


def notify_fault(notify: object) -> str | None:
    """Return what is wrong with the targets that a message names, if anything."""
    if not isinstance(notify, list) or len(notify) > MOST_TARGETS:
        return f"is no list of up to {MOST_TARGETS} targets"
    for one in notify:
        try:
            target_of(one)
        except NotifyRefused:
            return "names what cannot be told"
    return None


@dataclass(frozen=True, kw_only=True)
class Notice:
    """A task's end, for those who are to be told. `at_ms` is when (Unix milliseconds).

    `notify` are the targets that were named when it was submitted.
    """

    task_id: str
    agent: str
    status: Status
    at_ms: int
    principal: str
    tags: Tags = field(default_factory=dict)
    error_type: str | None = None
    traceparent: str | None = None
    notify: tuple[str, ...] = ()

    @property
    def id(self) -> str:
        """Return the notice's id: the same however often it is told."""
        return f"{self.task_id}-ended"

    @property
    def type(self) -> str:
        """Return the CloudEvent's type, as `sqswarm.task.completed`."""
        return f"sqswarm.task.{self.status.value}"

    def event(self, names: Names) -> JsonObject:
        """Return the CloudEvent that is told."""
        from sqswarm.schemas.task import iso

        data: JsonObject = {
            "taskId": self.task_id,
            "agent": self.agent,
            "status": self.status.value,
            "endedAt": iso(self.at_ms),
            "tags": dict(self.tags),
        }
        if self.error_type is not None:
            data["errorType"] = self.error_type
        return {
            "specversion": "1.0",
            "id": self.id,
            "type": self.type,
            "source": f"/sqswarm/{names.stage}/{self.agent}",
            "subject": self.task_id,
            "time": iso(self.at_ms),
            "datacontenttype": "application/json",
            "data": data,
        }

    def body(self, names: Names) -> str:
        """Return the CloudEvent as JSON text."""
        return dumps(self.event(names))


def check_allowed(
    targets: Iterable[str],
    allowed: Collection[str],
    *,
    agent: str,
    agents: Collection[str],
    names: Names,
) -> None:
    """Raise NotifyRefused where a target is not `allowed`, or nothing here could tell it.

    `agent` is whose task it is, `agents` are those that are deployed.
    """
    for address in targets:
        target = target_of(address)
        if address not in allowed:
            message = f"the stage {names.stage!r} does not tell {address}"
            hint = f'Add "{address}" to [tool.sqswarm] notify in pyproject.toml, and deploy.'
            raise NotifyRefused(message, hint=hint)
        if target.region not in {"", names.region}:
            message = f"{address} is in another region than the stage, {names.region}"
            raise NotifyRefused(message, hint="Name one in the stage's own region.")
        if target.kind is not TargetKind.WEBHOOK:
            continue
        if WEBHOOK_AGENT not in agents:
            message = f"{address} is a webhook, and no agent {WEBHOOK_AGENT!r} is deployed"
            hint = f'Add "{WEBHOOK_MODULE}" to [tool.sqswarm] agents in pyproject.toml, and deploy.'
            raise NotifyRefused(message, hint=hint)
        if agent == WEBHOOK_AGENT:
            message = f"a webhook is not told of the end of a task of {WEBHOOK_AGENT!r}"
            raise NotifyRefused(message, hint="Name a topic, a queue or an event bus.")


def allowed_targets(
    wanted: Sequence[str], *, stage: Sequence[str], agent: Sequence[str]
) -> tuple[str, ...]:
    """Return the targets told of a task: its agent's own, and those `wanted` that are allowed.

    What a message names it only claims: nobody is told whom the deployed stage does not name.
    """
    allowed = {*stage, *agent}
    return tuple(dict.fromkeys((*agent, *(one for one in wanted if one in allowed))))
