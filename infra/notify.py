"""Notify: what `[tool.sqswarm]` says about who is told of the ends of tasks.

notify = ["arn:aws:sns:…", {url = "https://…", secret = "ssm:/path"}]   # who may be named
notify_all = ["arn:aws:sqs:…"]                                          # who is told of every task
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sqswarm.backends import secrets
from sqswarm.schemas.agent_spec import AgentSpec
from sqswarm.schemas.errors import InvalidAgent, NotifyRefused, UsageError
from sqswarm.schemas.json import dumps
from sqswarm.schemas.notice import (
    WEBHOOK_AGENT,
    WEBHOOK_MODULE,
    WEBHOOKS_VARIABLE,
    TargetKind,
    target_of,
    targets_of,
)

_EXAMPLE = 'Write notify = ["arn:aws:sns:…", {url = "https://…", secret = "ssm:/path"}].'


@dataclass(frozen=True, kw_only=True)
class NotifyOptions:
    """Who may be named to be told of a task's end, and who is told of every task.

    `webhooks` are the references to their secrets, by URL.
    """

    targets: tuple[str, ...] = ()
    always: tuple[str, ...] = ()
    webhooks: Mapping[str, str] = field(default_factory=dict)

    @property
    def environment(self) -> dict[str, str]:
        """Return what the agent `webhook` is told of its receivers: no secrets."""
        return {WEBHOOKS_VARIABLE: dumps(dict(self.webhooks))} if self.webhooks else {}


def notify_of(file: Path, table: Mapping[str, Any]) -> NotifyOptions:
    """Return what `notify` and `notify_all` say; raises UsageError for what cannot work."""
    webhooks: dict[str, str] = {}
    named = tuple(_names(file, "notify", table.get("notify", []), webhooks))
    always = tuple(_names(file, "notify_all", table.get("notify_all", []), webhooks))
    return NotifyOptions(targets=named, always=always, webhooks=webhooks)


def _names(file: Path, key: str, said: Any, webhooks: dict[str, str]) -> Iterator[str]:
    if not isinstance(said, list):
        message = f"{file}: [tool.sqswarm] {key} is {said!r}, not a list"
        raise UsageError(message, hint=_EXAMPLE)
    region = os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION")
    for one in said:
        text, secret = _entry(file, key, one)
        try:
            target = target_of(text, region=region)
        except NotifyRefused as error:
            message = f"{file}: [tool.sqswarm] {key}: {error}"
            raise UsageError(message, hint=error.hint) from error
        if secret is not None:
            if target.kind is not TargetKind.WEBHOOK or not secrets.is_reference(secret):
                message = f"{file}: [tool.sqswarm] {key}: {text} has no such secret"
                hint = (
                    "A webhook has the reference to one: ssm:/path, secretsmanager:name, env:NAME."
                )
                raise UsageError(message, hint=hint)
            webhooks[target.address] = secret
        yield target.address


def _entry(file: Path, key: str, said: Any) -> tuple[str, str | None]:
    """Return an address, and the reference to the secret that a webhook is signed with."""
    match said:
        case str():
            return said, None
        case {"url": str(url), "secret": str(secret), **more} if not more:
            return url, secret
    # Its values are not shown: one may be a secret.
    what = f"a table of {', '.join(said)}" if isinstance(said, dict) else repr(said)
    message = f"{file}: [tool.sqswarm] {key} holds {what}"
    raise UsageError(message, hint=_EXAMPLE)


def with_notify(specs: Mapping[str, AgentSpec], options: NotifyOptions) -> dict[str, AgentSpec]:
    """Return the agents with all that are told of their tasks, and what `webhook` needs for it.

    Raises InvalidAgent where a webhook has no secret, or where agents name one and nobody would
    tell it. One that only submissions may name is refused there.
    """
    told = {name: _told(spec, options) for name, spec in specs.items()}
    own = _webhooks(one for spec in told.values() for one in spec.notify)
    for url in sorted({*own, *_webhooks(options.targets)}):
        if url not in options.webhooks:
            message = f"the webhook {url} has no secret to sign with"
            hint = f'[tool.sqswarm] notify = [{{url = "{url}", secret = "ssm:/path"}}]'
            raise InvalidAgent(message, hint=hint)
    if own and WEBHOOK_AGENT not in told:
        message = f"{min(own)} is to be told, and there is no agent {WEBHOOK_AGENT!r}"
        raise InvalidAgent(message, hint=f'Add "{WEBHOOK_MODULE}" to [tool.sqswarm] agents.')
    if options.webhooks and WEBHOOK_AGENT in told:
        carrier = told[WEBHOOK_AGENT]
        reads = secrets.statements(tuple(sorted({*options.webhooks.values()})))
        told[WEBHOOK_AGENT] = replace(carrier, permissions=(*carrier.permissions, *reads))
    return told


def _webhooks(targets: Iterable[str]) -> set[str]:
    return {one for one in targets if target_of(one).kind is TargetKind.WEBHOOK}


def _told(spec: AgentSpec, options: NotifyOptions) -> AgentSpec:
    if spec.name != WEBHOOK_AGENT:
        always = (one for one in options.always if one not in spec.notify)
        return replace(spec, notify=targets_of((*spec.notify, *always), most=None))
    if _webhooks(spec.notify):
        message = f"agent {spec.name!r} would tell a webhook of what it told a webhook"
        raise InvalidAgent(message, hint="Name a topic, a queue or an event bus.")
    return spec
