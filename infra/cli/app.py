"""The console script `sqswarm`.

Verbs import what is heavy (boto3, pydantic, troposphere) when they run, so that `--help` is quick.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Annotated, Any

import typer

from sqswarm.infra.cli.agents import agents
from sqswarm.infra.cli.answer import answer
from sqswarm.infra.cli.cancel import cancel
from sqswarm.infra.cli.cost import cost
from sqswarm.infra.cli.deploy import deploy
from sqswarm.infra.cli.destroy import destroy
from sqswarm.infra.cli.dlq import dlq
from sqswarm.infra.cli.doctor import doctor
from sqswarm.infra.cli.down import down
from sqswarm.infra.cli.get import get
from sqswarm.infra.cli.global_options import EverywhereGroup
from sqswarm.infra.cli.inbox import inbox
from sqswarm.infra.cli.list import list_tasks
from sqswarm.infra.cli.logs import logs
from sqswarm.infra.cli.map import map_rows
from sqswarm.infra.cli.mcp import mcp
from sqswarm.infra.cli.publish import publish
from sqswarm.infra.cli.purge import purge
from sqswarm.infra.cli.redrive import redrive
from sqswarm.infra.cli.serve import serve
from sqswarm.infra.cli.session import Session
from sqswarm.infra.cli.sessions import session
from sqswarm.infra.cli.submit import submit
from sqswarm.infra.cli.synth import synth
from sqswarm.infra.cli.up import up
from sqswarm.infra.cli.wait import wait
from sqswarm.infra.cli.work import work

_LOCAL = "Local AWS"
_STAGE = "Stage"
_TASKS = "Tasks"
_WORKERS = "Workers"
_CARE = "Care"
_SERVERS = "Servers"

_EVERYWHERE = (
    "Everywhere: --json (stdout is JSON only), --stage NAME, --endpoint URL, --debug. "
    "Exit codes: 0 done, 1 the task failed, 2 wrong usage, 3 cannot reach the swarm, 4 timed out."
)

app = typer.Typer(
    cls=EverywhereGroup,
    no_args_is_help=True,
    add_completion=False,
    rich_markup_mode="rich",
    pretty_exceptions_enable=False,
    epilog=_EVERYWHERE,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _say_version(asked: bool) -> None:  # noqa: FBT001 - as Click calls it
    if asked:
        from importlib.metadata import version

        typer.echo(f"sqswarm {version('sqswarm')}")
        raise typer.Exit


@app.callback()
def everywhere(
    context: typer.Context,
    *,
    json: Annotated[bool, typer.Option("--json", help="Print JSON to stdout.")] = False,
    stage: Annotated[
        str | None, typer.Option(help="Stage; overrides SQSWARM_STAGE (default dev).")
    ] = None,
    endpoint: Annotated[
        str | None, typer.Option(help="Endpoint; overrides AWS_ENDPOINT_URL.")
    ] = None,
    debug: Annotated[bool, typer.Option("--debug", help="Show tracebacks.")] = False,
    version: Annotated[  # noqa: ARG001 - the callback has answered already
        bool,
        typer.Option("--version", callback=_say_version, is_eager=True, help="Show the version."),
    ] = False,
) -> None:
    """Swarms of AI agents on SNS, SQS, Lambda and DynamoDB.

    First steps: sqswarm up, sqswarm deploy, sqswarm agents, sqswarm submit AGENT text=hello --wait
    """
    context.obj = Session(json=json, debug=debug, stage=stage, endpoint=endpoint)


_VERBS: dict[str, list[tuple[str, Callable[..., Any]]]] = {
    _LOCAL: [("up", up), ("down", down)],
    _STAGE: [("deploy", deploy), ("destroy", destroy), ("synth", synth), ("agents", agents)],
    _TASKS: [
        ("submit", submit),
        ("map", map_rows),
        ("publish", publish),
        ("get", get),
        ("wait", wait),
        ("list", list_tasks),
        ("cancel", cancel),
        ("inbox", inbox),
        ("answer", answer),
    ],
    _WORKERS: [("work", work)],
    _CARE: [
        ("dlq", dlq),
        ("redrive", redrive),
        ("purge", purge),
        ("logs", logs),
        ("cost", cost),
        ("session", session),
        ("doctor", doctor),
    ],
    _SERVERS: [("serve", serve), ("mcp", mcp)],
}
for _panel, _verbs in _VERBS.items():
    for _name, _verb in _verbs:
        app.command(_name, rich_help_panel=_panel, epilog=_EVERYWHERE)(_verb)


def main() -> None:
    """Run the command line."""
    app()
