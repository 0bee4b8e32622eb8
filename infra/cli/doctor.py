"""`sqswarm doctor`."""

from __future__ import annotations

from typing import Annotated

import typer

from sqswarm.infra.cli.output import print_json, print_line
from sqswarm.infra.cli.session import modules_of, session_of

_MARKS = {"ok": ("ok  ", "green"), "warn": ("warn", "yellow"), "fail": ("FAIL", "red")}


def doctor(
    context: typer.Context,
    agents: Annotated[
        str | None, typer.Option(help="Modules, instead of pyproject.toml's.")
    ] = None,
) -> None:
    """Check the set-up from the interpreter to the queues, and say how to mend it.

    Example: sqswarm doctor
    """
    from sqswarm.infra.cli.checks import examine

    session = session_of(context)
    findings = list(examine(session, modules_of(agents)))
    if session.json:
        print_json([vars(finding) for finding in findings])
    else:
        for finding in findings:
            mark, colour = _MARKS[finding.verdict]
            typer.secho(mark, fg=colour, nl=False)
            print_line(f"  {finding.what}: {finding.found}")
            if finding.fix:
                print_line(f"        fix: {finding.fix}")
    codes = [finding.exit_code for finding in findings if finding.verdict == "fail"]
    raise typer.Exit(codes[0] if codes else 0)
