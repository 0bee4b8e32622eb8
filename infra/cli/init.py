"""`sqswarm init`."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import Annotated

import typer

from sqswarm.infra.cli.output import print_json, print_line
from sqswarm.infra.cli.session import session_of


def init(
    context: typer.Context,
    folder: Annotated[
        Path, typer.Argument(metavar="[DIR]", help="A new or empty folder; default: this one.")
    ] = Path(),
    template: Annotated[
        str, typer.Option(help="enrichment, jobs or claude.", metavar="NAME")
    ] = "enrichment",
) -> None:
    """Make a small project that runs: two agents, a test of each kind, CI, a README.

    Templates: enrichment (documents are described and filed), jobs (work that is tried again and
    waits for days), claude (mails are answered by Claude, or by a conversation without a key).

    Example: sqswarm init demo --template jobs
    """
    from sqswarm.infra.scaffold.create import ABOUT, create_project

    session = session_of(context)
    files = create_project(folder, template)
    if session.json:
        names = [file.as_posix() for file in files]
        print_json({"folder": str(folder.resolve()), "template": template, "files": names})
        return
    print_line(f"made {len(files)} files in {folder.resolve()}")
    about = next(text for name, text in ABOUT.items() if name == template)
    print_line(f"  {about}; README.md says which file is what")
    print_line("next:")
    if folder != Path():
        print_line(f"  cd {shlex.quote(str(folder))}")
    print_line("  sqswarm dev   # a local AWS with your agents on it; save a file: it is live")
    print_line("  make test     # plain, in memory, and on a local AWS")
