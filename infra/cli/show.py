"""`sqswarm show`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

import typer

from sqswarm.infra.cli import completion
from sqswarm.infra.cli.output import note, print_json
from sqswarm.infra.cli.session import Session, session_of
from sqswarm.schemas.errors import UnknownAgent

if TYPE_CHECKING:
    from sqswarm.infra.cli.log_events import LogLine
    from sqswarm.schemas.timeline import Span, Timeline

_LATE_MS = 60_000
"""Lines of a task may bear a time after its end: completions, and clocks that differ."""

_LINES = 2000


def show(
    context: typer.Context,
    task_id: Annotated[
        str, typer.Argument(metavar="ID", help="A task's id.", autocompletion=completion.tasks)
    ],
    *,
    depth: Annotated[
        int, typer.Option(help="Levels of tasks that are shown from within.", min=1, max=10)
    ] = 3,
    limit: Annotated[
        int, typer.Option(help="Most children of a task and steps of an attempt.", min=1)
    ] = 20,
    logs: Annotated[
        bool, typer.Option("--logs", help="With the tasks' log lines, in their places.")
    ] = False,
    journal: Annotated[
        bool, typer.Option("--journal", help="What it has recorded, as JSON for `sqswarm replay`.")
    ] = False,
) -> None:
    """Show what became of a task: attempts, steps, children, questions, sleeps, with times.

    Example: sqswarm show 0199c2f0-5d3c-7c3e-8f43-2f6a1c0d9e11 --logs
    """
    session = session_of(context)
    if journal:
        from sqswarm.backends.runner import run_straight
        from sqswarm.dispatcher.export_journal import export_journal

        print_json(run_straight(export_journal(session.connection(), task_id)))
        return
    with session.swarm() as swarm:
        timeline = swarm.timeline(task_id, depth=depth, limit=limit)
    lines = _log_lines(session, timeline) if logs else {}
    if session.json:
        shown = timeline.to_json()
        if logs:
            shown["logs"] = {
                of: [{"atMs": one.at_ms, "line": one.fields or one.text} for one in said]
                for of, said in lines.items()
            }
        print_json(shown)
        return
    from sqswarm.infra.cli.timeline_tree import print_timeline

    print_timeline(timeline, lines)


def _log_lines(session: Session, timeline: Timeline) -> dict[str, list[LogLine]]:
    """Return the log lines of the tasks that are shown from within, by their ids."""
    import time

    from sqswarm.infra.cli.log_events import events, group_prefix, log_line

    names, clients = session.clients()
    client = clients("logs")
    now_ms = int(time.time() * 1000)
    found: dict[str, list[LogLine]] = {}
    for task_id, agent, began_ms, ended_ms in _tasks(timeline):
        group = f"{group_prefix(names.stack)}{agent}"
        try:
            told = [
                log_line(event)
                for event in events(
                    client,
                    group,
                    began_ms - _LATE_MS,
                    end_ms=(ended_ms or now_ms) + _LATE_MS,
                    containing=task_id,
                )
            ]
        except UnknownAgent:
            note(f"no log of {agent} is in CloudWatch: a container's is where it runs", dim=True)
            continue
        own = sorted(one for one in told if one.fields.get("task_id") in {task_id, None})
        if len(own) > _LINES:
            note(f"{len(own) - _LINES} more log lines of {task_id}: `sqswarm logs --task` has all")
        found[task_id] = own[:_LINES]
    return found


def _tasks(timeline: Timeline) -> list[tuple[str, str, int, int | None]]:
    """Return the tasks that are shown from within: id, agent, begin and end."""
    tasks = [(timeline.task_id, timeline.agent, timeline.began_ms, timeline.ended_ms)]
    left: list[Any] = list(timeline.spans)
    while left:
        span: Span = left.pop(0)
        if span.task_id is not None and span.children:
            tasks.append((span.task_id, span.name, span.began_ms, span.ended_ms))
        left += span.children
    return tasks
