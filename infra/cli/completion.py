"""Completion: what the shell offers for names of agents, topics, tasks, stages and statuses.

A key press waits for it: it has three quarters of a second, and says nothing but names. Only an
emulator on this machine is asked; of a stage on AWS it offers what a verb has seen there before.
"""

from __future__ import annotations

import contextlib
import io
import os
import signal
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, TypeVar

import typer

from sqswarm.infra.cli.seen_names import SeenNames, names_of_stage, stages_seen
from sqswarm.schemas.lifecycle import Status

if TYPE_CHECKING:
    from sqswarm.dispatcher.connection import Connection
    from sqswarm.schemas.settings import Settings
    from sqswarm.schemas.task import TaskRecord

T = TypeVar("T")

PATIENCE_S = 0.75
"""With Python's own start that is about a second, on an idle machine."""

_TASKS_SHOWN = 20

Offer = tuple[str, str]
"""A word, and what a shell that can shows beside it."""


class _TooSlowError(BaseException):
    """The time is over. No SDK's `except Exception` takes it for one of its own."""


def agents(context: typer.Context, incomplete: str) -> list[Offer]:
    """Offer the names of deployed agents."""
    return _offer(lambda: [(name, "") for name in _names(context).agents], incomplete)


def topics(context: typer.Context, incomplete: str) -> list[Offer]:
    """Offer the topics that deployed agents subscribe to."""
    return _offer(lambda: [(name, "") for name in _names(context).topics], incomplete)


def arguments(context: typer.Context, incomplete: str) -> list[Offer]:
    """Offer what the agent on the line takes, as `name=`."""

    def given() -> list[Offer]:
        known = _names(context).agents.get(str(context.params.get("agent")), [])
        return [(f"{name}=", "") for name in known]

    return _offer(given, incomplete)


def stages(context: typer.Context, incomplete: str) -> list[Offer]:
    """Offer the stages that were used on this machine."""
    del context
    return _offer(lambda: [(name, "") for name in stages_seen(os.environ)], incomplete)


def statuses(incomplete: str) -> list[Offer]:
    """Offer MCP's five statuses."""
    return [(one.value, "") for one in Status if one.value.startswith(incomplete)]


def listed(incomplete: str) -> list[Offer]:
    """Offer what a listing is filtered by: the statuses, and parked."""
    return [*statuses(incomplete), *([("parked", "")] if "parked".startswith(incomplete) else [])]


def tasks(context: typer.Context, incomplete: str) -> list[Offer]:
    """Offer the newest tasks."""
    return _offer(lambda: _tasks(context, None), incomplete)


def asking_tasks(context: typer.Context, incomplete: str) -> list[Offer]:
    """Offer the newest tasks that wait for people."""
    return _offer(lambda: _tasks(context, Status.INPUT_REQUIRED), incomplete)


def working_tasks(context: typer.Context, incomplete: str) -> list[Offer]:
    """Offer the newest tasks that have not ended and ask nobody."""
    return _offer(lambda: _tasks(context, Status.WORKING), incomplete)


def received_topics(context: typer.Context, incomplete: str) -> list[Offer]:
    """Offer the topics that the task on the line waits for."""

    def received() -> list[Offer]:
        record = _record(context, str(context.params.get("task_id")))
        return [(topic, "") for topic in record.received_topics]

    return _offer(received, incomplete)


def redrivable(context: typer.Context, incomplete: str) -> list[Offer]:
    """Offer agents, and the newest tasks that failed."""
    return [
        *agents(context, incomplete),
        *_offer(lambda: _tasks(context, Status.FAILED), incomplete),
    ]


def questions(context: typer.Context, incomplete: str) -> list[Offer]:
    """Offer the keys of what the task on the line asks."""

    def asked() -> list[Offer]:
        record = _record(context, str(context.params.get("task_id")))
        return [(key, str(one.get("message", ""))) for key, one in record.asks.items()]

    return _offer(asked, incomplete)


def _offer(find: Callable[[], list[Offer]], incomplete: str) -> list[Offer]:
    """Return what is found in time and begins so; nothing where anything is wrong."""
    try:
        with _hurry(), contextlib.redirect_stderr(io.StringIO()):
            return [one for one in find() if one[0].startswith(incomplete)]
    except (Exception, _TooSlowError):
        return []


@contextlib.contextmanager
def _hurry() -> Iterator[None]:
    def over(*_: Any) -> None:
        raise _TooSlowError

    before = signal.signal(signal.SIGALRM, over)
    signal.setitimer(signal.ITIMER_REAL, PATIENCE_S)
    try:
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


def _settings(context: typer.Context) -> Settings:
    from sqswarm.infra.cli.session import Session

    given = context.find_root().params
    return Session(json=True, stage=given.get("stage"), endpoint=given.get("endpoint")).settings()


def _names(context: typer.Context) -> SeenNames:
    settings = _settings(context)
    if not _is_ours(settings):
        return names_of_stage(settings, os.environ)
    try:
        return SeenNames.of(_connection(settings).catalogue.agents.values())
    except _TooSlowError:
        return names_of_stage(settings, os.environ)


def _is_ours(settings: Settings) -> bool:
    """Tell whether the endpoint is on this machine: nobody pays for a key press."""
    return bool(settings.endpoint_url) and settings.local


def _connection(settings: Settings) -> Connection:
    from sqswarm.backends.aws.caller import BlockingCaller
    from sqswarm.backends.aws.connect import client_factory
    from sqswarm.backends.runner import BlockingRunner, run_straight
    from sqswarm.dispatcher.connection import open_connection
    from sqswarm.infra.probe import probe

    probe(settings)
    caller = BlockingCaller(client_factory(settings))
    return run_straight(open_connection(settings, caller, BlockingRunner(), operator=True))


def _tasks(context: typer.Context, status: Status | None) -> list[Offer]:
    from sqswarm.backends.runner import run_straight
    from sqswarm.dispatcher.listing import list_tasks
    from sqswarm.schemas.task_filter import TaskFilter

    settings = _settings(context)
    if not _is_ours(settings):
        return []
    connection = _connection(settings)
    wanted = TaskFilter.of(status=status, now_ms=connection.runner.now_ms())
    page = run_straight(list_tasks(connection, wanted, limit=_TASKS_SHOWN, cursor=None))
    return [(one.id, f"{one.record.agent} {one.status.value}") for one in page]


def _record(context: typer.Context, task_id: str) -> TaskRecord:
    from sqswarm.backends.runner import run_straight
    from sqswarm.dispatcher.view import view
    from sqswarm.schemas.errors import Unreachable

    settings = _settings(context)
    if not _is_ours(settings):
        raise Unreachable("not on this machine")
    return run_straight(view(_connection(settings), task_id)).record
