"""The reference of the command line, as Typer tells it of each verb."""

from __future__ import annotations

import re

import typer
from typer.cli import get_docs_for_click
from typer.main import get_command

_EXAMPLE = re.compile(r"^Example: (.+?)\n\n", re.MULTILINE | re.DOTALL)
_HELP_OPTION = re.compile(r"^\* `[^`]*--help`: .*\n", re.MULTILINE)


def cli_reference() -> str:
    """Return Markdown: a heading for each panel of `sqswarm --help`, below it its verbs."""
    from sqswarm.infra.cli.app import VERBS, app

    group = get_command(app)
    assert isinstance(group, typer.core.TyperGroup)  # noqa: S101 - as the app is declared
    context = typer.Context(group, info_name="sqswarm")
    parts = []
    for panel, verbs in VERBS.items():
        parts.append(f"## {panel}\n\n")
        for verb in verbs:
            command = group.get_command(context, verb)
            assert command is not None  # noqa: S101 - VERBS is where the group looks
            own = typer.Context(command, info_name=verb, parent=context)
            text = get_docs_for_click(obj=command, ctx=own, indent=2, call_prefix="sqswarm")
            if command.epilog:  # said once, at the top of the page
                text = text.replace(f"{command.epilog}\n\n", "")
            parts.append(_tidy(text))
    return "".join(parts)


def _tidy(text: str) -> str:
    text = _EXAMPLE.sub(lambda found: f"```bash\n{found[1]}\n```\n\n", text)
    text = _HELP_OPTION.sub("", text).replace("**Options**:\n\n\n", "")
    return text.replace("**Usage**:\n\n", "")
