"""`sqswarm work`."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from sqswarm.infra.cli import completion
from sqswarm.infra.cli.session import modules_of, session_of
from sqswarm.schemas.errors import UnknownAgent

_HUNG = 1


def work(
    context: typer.Context,
    agents: Annotated[
        list[str] | None,
        typer.Argument(
            help="Agents to work for; else all of the project's.", autocompletion=completion.agents
        ),
    ] = None,
    *,
    concurrency: Annotated[
        int | None,
        typer.Option(min=1, help="Tasks of one agent at a time; else the agent's `concurrency`."),
    ] = None,
    grace: Annotated[
        float, typer.Option(min=0, help="Seconds that running tasks get at SIGTERM or Ctrl-C.")
    ] = 20.0,
    housekeeping: Annotated[
        bool, typer.Option("--housekeeping", help="Also do the swarm's housekeeping, each minute.")
    ] = False,
    health_file: Annotated[
        Path | None, typer.Option(help="Touch this file every few seconds while all is well.")
    ] = None,
    modules: Annotated[
        str | None, typer.Option("--agents", help="Modules with agents, instead of the project's.")
    ] = None,
) -> None:
    """Run agents here, in this process: the container worker.

    Polls the agents' queues, runs tasks under leases that it renews, and prints JSON lines. Stops
    cleanly: takes nothing new, lets tasks finish, hands back the rest at once. A second Ctrl-C ends
    it right away; leases and queues bring its tasks back.

    Example: sqswarm work transcribe --concurrency 4
    """
    from sqswarm.backends.log import configure_logging
    from sqswarm.schemas.settings import Settings
    from sqswarm.workers.hosts.container.service import WorkerOptions
    from sqswarm.workers.hosts.container.service import work as serve
    from sqswarm.workers.registry import load_agents

    log = configure_logging()
    session = session_of(context)
    project = session.project(modules_of(modules))
    project.activate()
    found = load_agents(project.modules)
    unknown = sorted(set(agents or ()) - found.keys())
    if unknown:
        message = f"the project declares no agent {unknown[0]!r}"
        raise UnknownAgent(message, hint=f"It declares {', '.join(found)}.")
    wanted = {name: one for name, one in found.items() if not agents or name in agents}
    for one in wanted.values():
        os.environ.update(one.spec.env)
    settings: Settings = session.reachable()
    orders = WorkerOptions(
        slots=concurrency, grace_s=grace, housekeeping=housekeeping, health_file=health_file
    )
    import asyncio

    if not asyncio.run(serve(settings, wanted, orders, log=log)):
        # A thread that hangs would keep the interpreter from ending.
        sys.stdout.flush()
        os._exit(_HUNG)
