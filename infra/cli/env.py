"""`sqswarm env`."""

from __future__ import annotations

import os
import re
import shlex
from typing import Annotated

import typer

from sqswarm.infra.cli.output import print_json, print_line
from sqswarm.infra.cli.session import session_of
from sqswarm.schemas.errors import UsageError

_PROFILE = {
    "AWS_ENDPOINT_URL": "endpoint_url",
    "AWS_ACCESS_KEY_ID": "aws_access_key_id",
    "AWS_SECRET_ACCESS_KEY": "aws_secret_access_key",
    "AWS_REGION": "region",
}


def env(
    context: typer.Context,
    *,
    port: Annotated[
        int | None, typer.Option(help="The one on this port; default: the last.")
    ] = None,
    account: Annotated[
        str, typer.Option(help="Twelve digits; each has resources of its own.")
    ] = "000000000000",
    profile: Annotated[
        bool, typer.Option("--profile", help="As a profile for ~/.aws/config instead.")
    ] = False,
) -> None:
    """Print how to reach the local AWS, as variables for the shell.

    What it prints lets whoever has it run code as you: keep it out of files that others read.

    Example: eval "$(sqswarm env)"
    """
    from sqswarm.infra.local import EmulatorError, current, environment_variables, status
    from sqswarm.schemas.settings import Settings

    session = session_of(context)
    if not re.fullmatch(r"[0-9]{12}", account):
        message = f"{account!r} is not an account"
        raise UsageError(message, hint="An account is twelve digits: --account 111111111111")
    running = current() if port is None else next(iter(status(port)), None)
    if running is None:
        message = "no local AWS runs" if port is None else f"no local AWS runs on port {port}"
        raise EmulatorError(message, hint="Start one with `sqswarm up`.")
    region = Settings.from_env(os.environ).region
    variables = environment_variables(running, region=region, account=account)
    if session.json:
        print_json(variables)
    elif profile:
        print_line("[profile sqswarm]")
        for name, setting in _PROFILE.items():
            print_line(f"{setting} = {variables[name]}")
    else:
        for name, value in variables.items():
            print_line(f"export {name}={shlex.quote(value)}")
