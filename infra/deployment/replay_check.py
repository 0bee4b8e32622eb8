"""Replay check: journals of tasks that are under way, against code before it is deployed.

A sample of each agent's tasks: the newest, the oldest of those that are listed, and those that
are due next. It is bounded in number and in time, and calls nothing but the table and the bucket.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from botocore.exceptions import ClientError

from sqswarm.backends.runner import run_straight
from sqswarm.dispatcher.connection import Connection
from sqswarm.dispatcher.export_journal import export_journal
from sqswarm.dispatcher.listing import list_tasks
from sqswarm.infra.project import Project
from sqswarm.schemas.errors import SwarmError, TaskNotFound, UnfitCode
from sqswarm.schemas.json import JsonObject
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.task import DUE_SHARDS, TaskRecord
from sqswarm.schemas.task_filter import TaskFilter

_EACH = 5
"""The newest of an agent's tasks that are replayed, and the oldest."""
_PAGE = 100
_PAGES = 5
_DUE = 200
_A_YEAR_MS = 400 * 86_400_000
SAMPLING_S = 20.0
"""Time in which journals are gathered; after it, `_AT_LEAST` so many of each agent still are."""
_AT_LEAST = 2
"""The newest of an agent's tasks and the oldest: a slow table must not let harmful code through."""
REPLAYING_S = 60.0
_TOLD = 5


@dataclass(frozen=True, kw_only=True)
class Replay:
    """What became of one journal. `error` says why it could not be told, where it could not."""

    task_id: str
    agent: str
    misfit: JsonObject | None = None
    error: str | None = None

    def __str__(self) -> str:
        """Say which task, and what its code would do otherwise."""
        why = "fits" if self.misfit is None else self.misfit["why"]
        return f"{self.agent} {self.task_id}: {self.error or why}"

    def to_json(self) -> JsonObject:
        """Return the fields."""
        told = {"taskId": self.task_id, "agent": self.agent, "fits": self.misfit is None}
        return {**told, "misfit": self.misfit, "error": self.error}


def check_replays(connection: Connection, project: Project) -> tuple[str, ...]:
    """Replay what is under way against a project's code; return what there is to say, as notes.

    Raises UnfitCode where a task would be parked. What cannot be replayed stops nothing. Tasks that
    finish on a version which is kept need not fit.
    """
    until_s, kept = time.monotonic() + SAMPLING_S, project.keep_versions
    try:
        journals = run_straight(sample(connection, until_s=until_s, versions_kept=kept))
        replays = replay_all(journals, project) if journals else []
    except (SwarmError, ClientError, OSError, subprocess.SubprocessError, ValueError) as error:
        return (f"tasks under way were not replayed: {error}",)
    unfit = [one for one in replays if one.misfit is not None]
    if not unfit:
        return ()
    first: dict[tuple[str, str], Replay] = {}
    for one in unfit:
        first.setdefault((one.agent, (one.misfit or {})["why"]), one)
    shown = [f"  {one}" for one in [*first.values()][:_TOLD]]
    count = f"{len(unfit)} of {len(replays)} tasks under way that were replayed"
    raise UnfitCode("\n".join([f"{count} do not fit this code, such as", *shown]))


async def sample(
    connection: Connection, *, until_s: float, versions_kept: bool = False
) -> list[JsonObject]:
    """Return journals of tasks that have recorded something and have not ended.

    Those that go on with a version of their own are left out where `versions_kept`.
    """
    journals: list[JsonObject] = []
    due = await _due(connection)
    for agent in connection.catalogue.names:
        found = {record.task_id: record for record in due if record.agent == agent}
        for status in (Status.INPUT_REQUIRED, Status.WORKING):
            wanted, cursor = TaskFilter(status=status, agent=agent), None
            for _ in range(_PAGES):
                page = await list_tasks(connection, wanted, limit=_PAGE, cursor=cursor)
                found.update({view.id: view.record for view in page})
                cursor = page.cursor
                if cursor is None or time.monotonic() > until_s:
                    break
        begun = [one for one in found.values() if _is_begun(one)]
        if versions_kept:
            begun = [one for one in begun if one.code is None]
        records = sorted(begun, key=lambda one: one.created_ms)
        ends = zip(reversed(records[-_EACH:]), records[:_EACH], strict=True)
        chosen = {one.task_id: one for both in ends for one in both}
        for number, record in enumerate(chosen.values()):
            if number >= _AT_LEAST and time.monotonic() > until_s:
                break
            try:
                journal = await export_journal(connection, record.task_id, agent=agent)
            except TaskNotFound:
                continue  # it has ended and gone meanwhile
            journals.append(journal)
    return journals


async def _due(connection: Connection) -> list[TaskRecord]:
    """Return the tasks that are due next."""
    until_ms = connection.runner.now_ms() + _A_YEAR_MS
    found = await connection.runner.gather(
        [
            connection.store.due(f"due#{n}", until_ms=until_ms, limit=_DUE // DUE_SHARDS)
            for n in range(DUE_SHARDS)
        ]
    )
    items = await connection.store.read_many([key for keys in found for key in keys])
    return [TaskRecord.from_item(item) for item in items.values()]


def _is_begun(record: TaskRecord) -> bool:
    """Tell whether a task is under way; a parked one can only gain."""
    going = not record.status.terminal and record.parked_now is None
    return going and (record.waits is not None or not record.unbegun)


def replay_all(
    journals: Sequence[JsonObject], project: Project, *, timeout_s: float = REPLAYING_S
) -> list[Replay]:
    """Replay journals in a process of their own, in which nothing can be called.

    Raises UsageError where the project's agents do not load, TimeoutExpired after `timeout_s`.
    """
    # By its name: it is what users test with, and nothing that deploys depends on that.
    command = [sys.executable, "-m", "sqswarm.testing.replay_process", *project.modules]
    given = {"path": [str(folder) for folder in project.pythonpath], "journals": list(journals)}
    done = subprocess.run(  # noqa: S603 - our own module
        command,
        input=json.dumps(given, default=_plain),
        capture_output=True,
        text=True,
        encoding="utf-8",
        cwd=project.root,
        timeout=timeout_s,
        check=False,
    )
    replays = list(_read(done.stdout))
    if done.returncode or len(replays) < len(journals):
        said = done.stderr.strip().splitlines()[-1:] or ["it ended without a word"]
        message = f"the process that replays them failed: {said[0]}"
        raise OSError(message)
    return replays


def _read(text: str) -> Iterator[Replay]:
    for line in text.splitlines():
        told = json.loads(line)
        yield Replay(
            task_id=told["taskId"],
            agent=told["agent"],
            misfit=told["misfit"],
            error=told["error"],
        )


def _plain(value: object) -> object:
    return int(value) if hasattr(value, "__int__") else str(value)
