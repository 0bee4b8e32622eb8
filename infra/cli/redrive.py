"""`sqswarm redrive`."""

from __future__ import annotations

from collections.abc import Generator
from typing import TYPE_CHECKING, Annotated, Any, TypedDict

import typer

from sqswarm.infra.cli import completion, filters
from sqswarm.infra.cli.bulk import (
    ask,
    bounded,
    carry_out,
    refuse_to_ask,
    told_count,
)
from sqswarm.infra.cli.output import print_json, print_line
from sqswarm.infra.cli.session import Session, session_of
from sqswarm.schemas.errors import SwarmError, UsageError
from sqswarm.schemas.ids import is_task_id
from sqswarm.schemas.naming import UNROUTED

if TYPE_CHECKING:
    from sqswarm import Swarm
    from sqswarm.dispatcher.async_client import Filters
    from sqswarm.dispatcher.bulk import Acted
    from sqswarm.dispatcher.lifecycle.redrive_letters import Redriven
    from sqswarm.schemas.json import JsonObject


def redrive(
    context: typer.Context,
    target: Annotated[
        str | None,
        typer.Argument(
            metavar="[AGENT|ID]",
            help="An agent with dead letters, or a task's id.",
            autocompletion=completion.redrivable,
        ),
    ] = None,
    *,
    agent: Annotated[
        str | None, typer.Option(help="The agent, as an option.", autocompletion=completion.agents)
    ] = None,
    task: Annotated[
        list[str] | None, typer.Option("--task", help="Only this task's; may be repeated.")
    ] = None,
    reason: Annotated[
        str | None,
        typer.Option(help="Only dead letters of this reason (`sqswarm dlq --by reason`)."),
    ] = None,
    error_type: Annotated[
        str | None, typer.Option(help="Failed tasks with this type of error.")
    ] = None,
    status: Annotated[
        str | None,
        typer.Option(
            help="Tasks of this status: failed, cancelled or completed.",
            autocompletion=completion.statuses,
        ),
    ] = None,
    since: filters.Since = None,
    until: filters.Until = None,
    where: filters.Where = None,
    from_step: Annotated[
        str | None,
        typer.Option(
            "--from",
            metavar="STEP",
            help="From this step on (`write`, `write#2`, `turn 40`), or all up to its `end`.",
        ),
    ] = None,
    changed: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="K=V", help="Another argument; may be repeated."),
    ] = None,
    limit: filters.AtMost = None,
    rate: filters.Rate = None,
    yes: filters.Yes = False,
) -> None:
    """Run dead letters, or all ended tasks that match, again: one, some or all.

    Of an agent, with --task, --reason or --since, its dead letters. With --error-type, --status,
    --until or --where, or without an agent, the recorded tasks that match. How many is said first.

    Each becomes a new task with a fresh budget, linked to the old one. A message that never became
    a task is moved back as it is: deploy what it needs first. A repeat goes on where one was broken
    off, and runs nothing twice.

    With --from, what a task had recorded before that step (or child, question, sleep, turn) is
    kept, with its old outcomes: nothing is paid or done twice, and --set is for what comes after.

    Example: sqswarm redrive 0199c2f0-5d3c-7c3e-8f43-2f6a1c0d9e11 --from write
    """
    session = session_of(context)
    if target is not None and is_task_id(target):
        _redrive_one(session, target, from_step, changed or [])
        return
    agent = agent or target
    of_tasks = {"--error-type": error_type, "--status": status, "--until": until, "--where": where}
    hows = {"--from": from_step, "--set": changed}
    given = [name for name, value in {**of_tasks, **hows}.items() if value]
    of_letters = bool(reason or task)
    if given and of_letters:
        message = (
            f"{given[0]} is of tasks, and {'--reason' if reason else '--task'} of dead letters"
        )
        raise UsageError(message, hint="A failed task's reason is its type of error: --error-type.")
    if agent is None and not (of_letters or since or any(of_tasks.values())):
        message = "nothing says what to run again"
        raise UsageError(
            message, hint="Name an agent, a task's id, or a filter such as --since 2h."
        )
    if not yes and not task:
        refuse_to_ask(session, "redrive")
    with session.swarm() as swarm:
        if of_letters or (agent and not given):
            chosen = {"task_ids": task, "reason": reason, "since": since}
            quiet = bool(yes or task)
            _redrive_letters(session, swarm, agent, chosen, limit=limit, rate=rate, yes=quiet)
            return
        wanted: Filters = {
            "agent": agent,
            "status": status or "failed",
            "since": since,
            "until": until,
            "where": filters.tags_of(where),
            "error_type": error_type,
        }
        how: _How = {
            "from_step": from_step,
            "arguments": _arguments(session, swarm, agent, from_step, changed or []),
        }
        _redrive_tasks(session, swarm, wanted, how, limit=limit, rate=rate, yes=yes)


class _How(TypedDict):
    from_step: str | None
    arguments: JsonObject | None


def _arguments(
    session: Session, swarm: Swarm, agent: str | None, from_step: str | None, changed: list[str]
) -> JsonObject | None:
    """Return the arguments that --set spells, as the agent's schema (or all agents') has them."""
    if not changed:
        return None
    from sqswarm.infra.cli.arguments import merged_schema, parse_arguments

    schemas = [entry.input_schema for entry in swarm.agents() if agent in {None, entry.name}]
    if from_step is not None:
        session.note(f"what was recorded before {from_step!r} keeps its old outcomes")
    return parse_arguments(changed, merged_schema(schemas))


def _redrive_one(session: Session, task_id: str, from_step: str | None, changed: list[str]) -> None:
    with session.swarm() as swarm:
        agent = swarm.get(task_id).record.agent if changed else None
        arguments = _arguments(session, swarm, agent, from_step, changed)
        new = swarm.redrive(task_id, from_step=from_step, arguments=arguments)
    if session.json:
        print_json([{"oldTaskId": task_id, "newTaskId": new.id, "agent": new.agent, "error": None}])
    else:
        print_line(f"{task_id}  {new.id}")


def _redrive_letters(
    session: Session,
    swarm: Swarm,
    agent: str | None,
    chosen: dict[str, Any],
    *,
    limit: int | None,
    rate: float | None,
    yes: bool,
) -> None:
    reason, since = chosen["reason"], chosen["since"]
    agents = [agent] if agent else [*(entry.name for entry in swarm.agents()), UNROUTED]
    whose = f" of {agent}" if agent else ""
    what = f"dead letters{whose}{f' ({reason})' if reason else ''}"
    total = None
    if not chosen["task_ids"]:
        total = sum(_count(swarm, name, reason, since) for name in agents)
        if not total:
            _nothing(session, f"there are no {what}")
            return
        number = f"{total:,}" if limit is None or limit >= total else f"{limit:,} of {total:,}"
        if not yes:
            ask(f"Run {number} {what} again?")
        total = bounded(total, limit)

    def acts() -> Generator[Redriven]:
        left = limit
        for name in agents:
            if left == 0:
                return
            for one in swarm.redrive_dead_letters(name, **chosen, limit=left, rate_per_s=rate):
                left = left if left is None or one.error else left - 1
                yield one

    carry_out(session, acts(), doing="redriving", total=total, told=_told_letter)


def _count(swarm: Swarm, agent: str, reason: str | None, since: str | None) -> int:
    if reason is None and since is None:
        return swarm.dead_letters(agent, limit=1).total
    from sqswarm.dispatcher.lifecycle.dead_letters import HELD_LIMIT

    return len(swarm.dead_letters(agent, limit=HELD_LIMIT, reason=reason, since=since))


def _redrive_tasks(
    session: Session,
    swarm: Swarm,
    wanted: Filters,
    how: _How,
    *,
    limit: int | None,
    rate: float | None,
    yes: bool,
) -> None:
    matched = swarm.count_matching("redrive", **wanted)
    status = wanted["status"]
    if not matched.count:
        done = f" that were not redriven ({matched.done:,} were)" if matched.done else ""
        _nothing(session, f"there are no such {status} tasks{done}")
        return
    if not yes:
        from_step = how["from_step"]
        place = "" if from_step is None else f" from {from_step!r}"
        ask(f"Run {told_count(matched, f'{status} tasks', limit)} again{place}?")
    carry_out(
        session,
        swarm.redrive_matching(limit=limit, rate_per_s=rate, **how, **wanted),
        doing="redriving",
        total=None if matched.more else bounded(matched.count, limit),
        told=_told_task,
    )


def _nothing(session: Session, text: str) -> None:
    if session.json:
        print_json([])
    else:
        print_line(text)


def _told_letter(one: Redriven) -> tuple[dict[str, Any], str, SwarmError | None]:
    fields = {
        "agent": one.letter.agent,
        "reason": one.letter.reason,
        "oldTaskId": one.letter.task_id,
        "newTaskId": one.new.task_id if one.new else None,
        "error": str(one.error) if one.error else None,
    }
    became = one.new.task_id if one.new else "moved back"
    return fields, f"{one.letter.task_id or '(no task)'}  {one.error or became}", one.error


def _told_task(one: Acted) -> tuple[dict[str, Any], str, SwarmError | None]:
    fields = {
        "agent": one.agent,
        "oldTaskId": one.task_id,
        "newTaskId": one.new,
        "error": str(one.error) if one.error else None,
    }
    return fields, f"{one.task_id}  {one.error or one.new}", one.error
