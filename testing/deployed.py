"""Deployed: the project's agents on a local AWS, as good as new for each test."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from types import MappingProxyType
from typing import Any

from sqswarm import Swarm
from sqswarm.backends.aws.connect import settings_from_environment
from sqswarm.infra.deploy import deploy
from sqswarm.infra.plan import Plan, plan
from sqswarm.infra.project import find_project
from sqswarm.schemas.naming import UNROUTED, Names
from sqswarm.testing.local_aws import LocalAws
from sqswarm.testing.report import tasks_text, timelines_text

STAGE = "test"
_SHOWN_TASKS = 20
_SHOWN_LINES = 60


class Deployed:
    """A stage of a local AWS that agents have been deployed to. The environment names the AWS."""

    variables = MappingProxyType({"SQSWARM_STAGE": STAGE})
    """What names the stage in an environment."""

    def __init__(self, aws: LocalAws) -> None:
        """Start with nothing deployed."""
        self.aws = aws
        self._made: tuple[tuple[str, ...], Plan, Names] | None = None
        self._since_ms = 0

    def ready(self, root: Path, modules: tuple[str, ...]) -> None:
        """Deploy the agents of `modules`, or the project's in `root`; once, then only clean up."""
        self._since_ms = int(1000 * time.time())
        if self._made is not None and self._made[0] == modules:
            self._clean_up()
            return
        self.aws.reset()
        planned = plan(find_project(root, modules=modules), stage=STAGE)
        made = deploy(settings_from_environment(), planned)
        self._made = (modules, planned, made.names)

    def connect(self) -> Swarm:
        """Return a connection, an operator's: it sees every task."""
        return Swarm.connect(settings_from_environment(), operator=True)

    @property
    def _deployed(self) -> tuple[Plan, Names]:
        if self._made is None:
            message = "nothing is deployed yet: `ready` does it"
            raise RuntimeError(message)
        return self._made[1:]

    def _clean_up(self) -> None:
        """Take every message and every record out of the stage."""
        planned, names = self._deployed
        sqs = self.aws.client("sqs")
        for spec in planned.specs.values():
            for queue in (
                names.queue(spec.name, ordered=spec.ordered),
                names.dead_letter_queue(spec.name, ordered=spec.ordered),
            ):
                sqs.purge_queue(QueueUrl=sqs.get_queue_url(QueueName=queue)["QueueUrl"])
        with suppress(sqs.exceptions.QueueDoesNotExist):
            url = sqs.get_queue_url(QueueName=names.queue(UNROUTED))["QueueUrl"]
            sqs.purge_queue(QueueUrl=url)
        table = self.aws.resource("dynamodb").Table(names.table)
        keys: dict[str, Any] = {"ProjectionExpression": "pk, sk"}
        page = table.scan(**keys)
        with table.batch_writer() as batch:
            while True:
                for item in page["Items"]:
                    batch.delete_item(Key=item)
                if "LastEvaluatedKey" not in page:
                    return
                page = table.scan(**keys, ExclusiveStartKey=page["LastEvaluatedKey"])

    def report(self, swarm: Swarm) -> str:
        """Return the newest tasks, their timelines, and the newest lines of the functions' logs."""
        records = [view.record for view in swarm.list(limit=_SHOWN_TASKS)]
        told = [*tasks_text(records), *timelines_text(swarm, records)]
        return "\n".join([*told, "", *self._lines()[-_SHOWN_LINES:]])

    def _lines(self) -> list[str]:
        planned, names = self._deployed
        logs = self.aws.client("logs")
        found: list[tuple[int, str]] = []
        for name in (*planned.specs, "housekeeping"):
            with suppress(logs.exceptions.ResourceNotFoundException):
                events = logs.filter_log_events(
                    logGroupName=f"/aws/lambda/{names.function(name)}", startTime=self._since_ms
                )["events"]
                found += [(e["timestamp"], f"{name}  {e['message'].rstrip()}") for e in events]
        return [line for _, line in sorted(found)]
