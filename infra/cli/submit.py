"""`sqswarm submit`."""

from __future__ import annotations

from typing import Annotated

import typer

from sqswarm.infra.cli import completion
from sqswarm.infra.cli.output import as_text, print_json, print_line
from sqswarm.infra.cli.session import session_of
from sqswarm.schemas.errors import UsageError


def submit(
    context: typer.Context,
    agent: Annotated[
        str, typer.Argument(help="Name of a deployed agent.", autocompletion=completion.agents)
    ],
    arguments: Annotated[
        list[str] | None,
        typer.Argument(
            help="NAME=VALUE, NAME:=JSON or NAME=@FILE.", autocompletion=completion.arguments
        ),
    ] = None,
    *,
    json_file: Annotated[
        str | None, typer.Option(help="A file with all arguments as one JSON object.")
    ] = None,
    wait: Annotated[bool, typer.Option("--wait", help="Wait for the result.")] = False,
    timeout: Annotated[float | None, typer.Option(help="Seconds to wait at most.")] = None,
    wait_for_answers: Annotated[
        bool,
        typer.Option("--wait-for-answers", help="Wait on where it asks a person, too."),
    ] = False,
    idempotency_key: Annotated[
        str | None, typer.Option(help="A repeat with this key returns the first task.")
    ] = None,
    ordering_key: Annotated[
        str | None, typer.Option(help="Tasks of one key run in order (ordered agents).")
    ] = None,
    session_id: Annotated[str | None, typer.Option(help="Conversation to go on with.")] = None,
    delay: Annotated[
        int, typer.Option(help="Seconds before a worker may see it, up to a year.")
    ] = 0,
    deadline: Annotated[
        str | None,
        typer.Option(help="After it no run begins: 90s, 15m, 1h, or a time as 2026-12-01T08:00Z."),
    ] = None,
    singleton: Annotated[
        str | None,
        typer.Option(help="While a task of this key is under way, it is returned."),
    ] = None,
    when_behind: Annotated[
        str | None, typer.Option(help="`refuse` or `wait` while the agent's backlog is too old.")
    ] = None,
    older_than: Annotated[
        int, typer.Option(help="Seconds of the oldest message from which it is too old.")
    ] = 60,
    tag: Annotated[
        list[str] | None, typer.Option(help="TAG=VALUE: what `list --where` finds it by.")
    ] = None,
    notify: Annotated[
        list[str] | None,
        typer.Option(help="Who is told of its end: an ARN or a webhook that the stage names."),
    ] = None,
) -> None:
    """Submit one task and print its id; with --wait, its result.

    Where it asks a person, --wait ends with exit code 5 and the question; the task goes on when
    somebody answers.

    Example: sqswarm submit keywords text="Some text" top=5 --wait
    """
    from sqswarm.dispatcher.deadline import deadline_of
    from sqswarm.dispatcher.submit import Request
    from sqswarm.infra.cli.arguments import parse_arguments, read_json_file
    from sqswarm.infra.cli.filters import tags_of
    from sqswarm.infra.cli.tasks import entry_of, exit_code

    session = session_of(context)
    tags = tags_of(tag)
    if not wait and (timeout is not None or wait_for_answers):
        option = "--wait-for-answers" if timeout is None else "--timeout"
        message = f"{option} is given without --wait"
        raise UsageError(message, hint=f"Add --wait, or leave {option} out.")
    with session.swarm() as swarm:
        schema = entry_of(swarm, agent).input_schema
        given = dict(read_json_file(json_file)) if json_file else {}
        given |= parse_arguments(arguments or [], schema)
        request = Request(
            arguments=given,
            idempotency_key=idempotency_key,
            ordering_key=ordering_key,
            session_id=session_id,
            delay_s=delay,
            tags=tags,
            notify=notify,
            deadline=deadline_of(deadline),
            singleton=singleton,
            when_behind=when_behind,
            older_than_s=older_than,
            durable=True,  # so that the id that is printed resolves at once
        )
        (task,) = swarm.submit_many(agent, [request])
        if not wait:
            if session.json:
                print_json(swarm.get(task.id).to_json())
            else:
                print_line(task.id)
            return
        session.note(f"task {task.id}")
        list(swarm.wait([task], timeout=timeout, wait_for_answers=wait_for_answers))
        view = swarm.get(task.id)
        if session.json:
            print_json(view.to_json())
            raise typer.Exit(exit_code(view.status))
        print_line(as_text(view.result()))
