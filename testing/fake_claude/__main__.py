"""`python -m sqswarm.testing.fake_claude`: serve a script until interrupted."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path
from typing import Annotated

import typer

from sqswarm.schemas.json import loads
from sqswarm.testing.fake_claude.conversation import scenes_of
from sqswarm.testing.fake_claude.run import FakeClaude
from sqswarm.testing.fake_claude.script import Script


def main(
    script: Annotated[
        Path | None,
        typer.Option(help="A script: JSON, or a conversation as text; without one it echoes."),
    ] = None,
    port: Annotated[int, typer.Option(help="Port; 0 for a free one.")] = 8765,
) -> None:
    """Play Claude on http://127.0.0.1:PORT; agents find it through ANTHROPIC_BASE_URL."""
    text = "{}" if script is None else script.read_text(encoding="utf-8")
    document = loads(text) if text.lstrip().startswith("{") else {"scenes": scenes_of(text)}
    claude = FakeClaude(Script.of(document), port=port)
    claude.start()
    typer.echo(f"export ANTHROPIC_BASE_URL={claude.base_url}")
    with suppress(KeyboardInterrupt):
        claude.join()


if __name__ == "__main__":
    typer.run(main)
