"""`sqswarm env`."""

from __future__ import annotations

import os
import re
import shlex
import sys
from typing import Annotated

import typer

from sqswarm.infra.cli.output import print_json, print_line
from sqswarm.infra.cli.session import session_of
from sqswarm.schemas.errors import UsageError


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
        bool, typer.Option("--profile", help="A profile for ~/.aws/config, which asks each time.")
    ] = False,
    process: Annotated[
        bool, typer.Option("--process", help="As what a profile's credential_process prints.")
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
    if profile:
        print_line(_profile(variables, running.port, account))
    elif process:
        key, secret = variables["AWS_ACCESS_KEY_ID"], variables["AWS_SECRET_ACCESS_KEY"]
        print_json({"Version": 1, "AccessKeyId": key, "SecretAccessKey": secret})
    elif session.json:
        print_json(variables)
    else:
        for name, value in variables.items():
            print_line(f"export {name}={shlex.quote(value)}")


def _profile(variables: dict[str, str], port: int, account: str) -> str:
    """Write a profile that stays true when the emulator is started anew, and holds no secret."""
    from sqswarm.infra.local.home import home

    at = ("--port", str(port), "--account", account)
    # The SDK starts it wherever it runs itself.
    ask = (
        "env",
        f"SQSWARM_HOME={home()}",
        sys.executable,
        "-m",
        "sqswarm",
        "env",
        "--process",
        *at,
    )
    return "\n".join(
        [
            "[profile sqswarm]",
            f"endpoint_url = {variables['AWS_ENDPOINT_URL']}",
            f"region = {variables['AWS_REGION']}",
            f"credential_process = {shlex.join(ask)}",
        ]
    )
