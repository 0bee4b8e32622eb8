"""The console script `sqswarm`.

Verbs import what is heavy (boto3, pydantic, troposphere) when they run, so that `--help` is quick.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Annotated

import typer

from sqswarm.infra.cli import completion
from sqswarm.infra.cli.global_options import COMPLETING, verb_group
from sqswarm.infra.cli.session import Session

_EVERYWHERE = (
    "Everywhere: --json (stdout is JSON only), --stage NAME, --endpoint URL, --debug. "
    "Exit codes: 0 done, 1 the task failed, 2 wrong usage, 3 cannot reach the swarm, 4 timed out, "
    "5 it asks a person."
)

VERBS: dict[str, dict[str, str]] = {
    "Start": {
        "init": "init:init",
        "dev": "dev:dev",
        "up": "up:up",
        "env": "env:env",
        "down": "down:down",
        "doctor": "doctor:doctor",
    },
    "Stage": {
        "deploy": "deploy:deploy",
        "diff": "diff:diff",
        "destroy": "destroy:destroy",
        "synth": "synth:synth",
        "replay": "replay:replay",
        "agents": "agents:agents",
    },
    "Tasks": {
        "submit": "submit:submit",
        "map": "map:map_rows",
        "runs": "runs:runs",
        "run": "run:run",
        "publish": "publish:publish",
        "get": "get:get",
        "show": "show:show",
        "wait": "wait:wait",
        "list": "list:list_tasks",
        "cancel": "cancel:cancel",
        "inbox": "inbox:inbox",
        "answer": "answer:answer",
        "send": "send:send",
    },
    "Workers": {"work": "work:work"},
    "Care": {
        "ui": "ui:ui",
        "dlq": "dlq:dlq",
        "redrive": "redrive:redrive",
        "pause": "pause:pause",
        "resume": "resume:resume",
        "purge": "purge:purge",
        "stats": "stats:stats",
        "logs": "logs:logs",
        "cost": "cost:cost",
        "session": "sessions:session",
    },
    "Servers": {"serve": "serve:serve", "mcp": "mcp:mcp"},
}
"""Panel of `--help` → verb → `module:function` in this folder, imported when it is asked for."""

app = typer.Typer(
    cls=verb_group(VERBS, epilog=_EVERYWHERE),
    invoke_without_command=True,
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
        str | None,
        typer.Option(
            help="Stage; overrides SQSWARM_STAGE (default dev).", autocompletion=completion.stages
        ),
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

    First steps: sqswarm init demo, cd demo, sqswarm dev. Without a verb: what is up, and what next.
    """
    context.obj = Session(json=json, debug=debug, stage=stage, endpoint=endpoint)
    if context.invoked_subcommand is None:
        from sqswarm.infra.cli.overview import show_overview

        show_overview(context.obj)


def main() -> None:
    """Run the command line."""
    if COMPLETING in os.environ:
        _complete()
    app()


def _complete() -> None:
    """Answer a shell that waits for words, and end at once: a call that hangs has no say in it."""
    with Path(os.devnull).open("w", encoding="utf-8") as nobody:
        sys.stderr = nobody
        try:
            app()
        finally:
            sys.stdout.flush()
            os._exit(0)
