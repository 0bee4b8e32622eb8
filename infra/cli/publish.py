"""`sqswarm publish`."""

from __future__ import annotations

from typing import Annotated

import typer

from sqswarm.infra.cli import completion
from sqswarm.infra.cli.output import print_json, print_table
from sqswarm.infra.cli.session import session_of


def publish(
    context: typer.Context,
    topic: Annotated[
        str,
        typer.Argument(help="A topic that agents subscribe to.", autocompletion=completion.topics),
    ],
    arguments: Annotated[
        list[str] | None, typer.Argument(help="NAME=VALUE, NAME:=JSON or NAME=@FILE.")
    ] = None,
    *,
    json_file: Annotated[
        str | None, typer.Option(help="A file with the event as one JSON object.")
    ] = None,
    event_type: Annotated[
        str | None, typer.Option("--type", help="The event's type, for agents that filter.")
    ] = None,
) -> None:
    """Publish an event; each subscribed agent gets a task of its own.

    Example: sqswarm publish documents url=https://example.com/a.pdf --type invoice
    """
    from sqswarm.infra.cli.arguments import merged_schema, parse_arguments, read_json_file
    from sqswarm.schemas.catalogue import Catalogue
    from sqswarm.schemas.join import event_fields

    session = session_of(context)
    with session.swarm() as swarm:
        catalogue = Catalogue(agents={entry.name: entry for entry in swarm.agents()})
        listeners = catalogue.subscribers(topic, event_type)
        schema = merged_schema(
            [
                event_fields(entry.input_schema, topic)
                if entry.joins_events_of(topic)
                else entry.input_schema
                for entry in listeners
            ]
        )
        payload = dict(read_json_file(json_file)) if json_file else {}
        payload |= parse_arguments(arguments or [], schema)
        tasks = swarm.publish(topic, payload, type=event_type)
    if session.json:
        print_json([{"agent": task.agent, "taskId": task.id} for task in tasks])
        return
    rows = [(task.agent, task.id) for task in tasks]
    rows += [(entry.name, "joins it") for entry in listeners if entry.joins_events_of(topic)]
    print_table(["agent", "task"], rows)
