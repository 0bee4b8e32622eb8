"""Look ahead: what a plan would change in what is deployed, and what it would leave behind."""

from __future__ import annotations

from collections import ChainMap
from collections.abc import Iterable, Mapping
from dataclasses import replace

from botocore.exceptions import BotoCoreError, ClientError

from sqswarm.backends.aws.caller import translated
from sqswarm.backends.aws.connect import client_factory, names_of
from sqswarm.backends.runner import run_straight
from sqswarm.dispatcher.connection import Connection
from sqswarm.dispatcher.listing import list_tasks
from sqswarm.dispatcher.stats import backlogs
from sqswarm.infra.account import with_account
from sqswarm.infra.bundle import Bundle
from sqswarm.infra.deploy import bundle_of, template_key
from sqswarm.infra.deployment.difference import Difference, Left, difference, with_left
from sqswarm.infra.deployment.parked import operators_connection
from sqswarm.infra.deployment.record import as_deployed, read_object, read_record
from sqswarm.infra.plan import Plan
from sqswarm.schemas.catalogue import CATALOGUE_KEY, Catalogue, CatalogueEntry
from sqswarm.schemas.errors import NotDeployed
from sqswarm.schemas.json import JsonObject, loads
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.settings import Settings
from sqswarm.schemas.stats import Backlog
from sqswarm.schemas.task_filter import TaskFilter

_COUNTED = 1000
"""As far as a listing counts (docs/listings.md)."""


def look_ahead(settings: Settings, plan: Plan, packed: Bundle | None = None) -> Difference:
    """Return what a deployment of `plan` would change; nothing is changed.

    `packed` is the plan's bundle, where whoever asks has it. Raises NotDeployed where a stage of
    another format stands there, Unreachable where nothing answers.
    """
    clients = client_factory(settings)
    settings = with_account(settings, clients)
    s3, bucket = clients("s3"), names_of(settings).bucket
    text, record = read_object(s3, bucket, CATALOGUE_KEY), read_record(s3, bucket)
    plan = as_deployed(plan, s3, bucket)
    old = None if text is None else Catalogue.load(text)
    digests = () if record is None else (record.template, *record.parts)
    kept = [read_object(s3, bucket, template_key(digest)) for digest in digests]
    there = [text for text in kept if text is not None]
    code_key = (packed or bundle_of(plan, local=settings.local)).key
    seen = difference(
        old=old,
        new=plan.catalogue,
        old_template=_whole(there) if record and len(there) == len(kept) else None,
        new_template=_whole([plan.template, *plan.parts]),
        code_changed=record is None or record.code_key != code_key,
    )
    removed = [one.agent for one in seen.agents if one.kind == "removed"]
    if not removed or old is None:
        return seen
    try:
        left = _left(
            operators_connection(settings, clients), {name: old.agents[name] for name in removed}
        )
    except NotDeployed:  # some of it is gone, and is made anew
        return seen
    return with_left(seen, left)


def _whole(texts: Iterable[str | bytes]) -> JsonObject:
    """Return the templates of a stage's stacks as one."""
    templates = [loads(text) for text in texts]
    resources = ChainMap(*(one["Resources"] for one in templates))
    return {**templates[0], "Resources": dict(resources)}


def what_is_left(settings: Settings) -> Left:
    """Return what would be gone with a stage: tasks under way, messages, dead letters, records.

    Raises NotDeployed where there is none.
    """
    clients = client_factory(settings)
    connection = operators_connection(settings, clients)
    left = Left.sum(_left(connection, connection.catalogue.agents).values())
    try:
        table = clients("dynamodb").describe_table(TableName=connection.names.table)["Table"]
    except (ClientError, BotoCoreError) as error:
        raise translated(error, "dynamodb") from error
    return replace(left, records=int(table["ItemCount"]))


def _left(connection: Connection, agents: Mapping[str, CatalogueEntry]) -> dict[str, Left]:
    queues = run_straight(
        backlogs(connection, {name: entry.ordered for name, entry in agents.items()})
    )
    return {name: _left_of(connection, name, queues[name]) for name in agents}


def _left_of(connection: Connection, agent: str, queue: Backlog) -> Left:
    totals = []
    for status in (Status.WORKING, Status.INPUT_REQUIRED):
        wanted = TaskFilter.of(now_ms=connection.runner.now_ms(), status=status, agent=agent)
        totals.append(run_straight(list_tasks(connection, wanted, limit=1)).total)
    return Left(
        tasks=sum(_COUNTED if total is None else total for total in totals),
        messages=queue.waiting + queue.in_flight + queue.delayed,
        dead_letters=queue.dead_letters,
        more=None in totals,
    )
