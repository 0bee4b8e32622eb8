"""Screen: what `sqswarm dev` shows, as lines for a person or as JSON for a program."""

from __future__ import annotations

import sys
import threading
from collections.abc import Mapping, Sequence
from datetime import datetime
from itertools import cycle
from pathlib import Path
from typing import Any

import typer

from sqswarm.infra.cli.output import print_json_line, visible
from sqswarm.infra.dev.log_line import LogLine

_COLOURS = ("cyan", "magenta", "green", "blue", "yellow", "bright_cyan", "bright_magenta")
_LEVELS = {"error": "red", "warning": "yellow"}


class Screen:
    """Writes whole lines, from several threads. Each agent has a colour of its own."""

    def __init__(self, *, json: bool) -> None:
        """Write to stdout."""
        self._json = json
        self._lock = threading.Lock()
        self._colours: dict[str, str] = {}
        self._next = cycle(_COLOURS)
        self._width = 0

    def say(self, kind: str, text: str, *, dim: bool = False, **fields: Any) -> None:
        """Show something that dev itself does; `kind` and `fields` are for programs."""
        if self._json:
            self._write(None, {"kind": kind, "text": text, **fields})
        else:
            styled = [typer.style(visible(line), dim=dim) for line in text.split("\n")]
            self._write("\n".join(styled), None)

    def fail(self, error: Mapping[str, str], *, then: str) -> None:
        """Show an error and its fix, and what goes on all the same."""
        if self._json:
            self._write(None, {"kind": "error", **error})
            return
        head = typer.style("error: ", fg="red", bold=True)
        fix = typer.style("  fix: ", fg="green", bold=True)
        now = f"{datetime.now().astimezone():%H:%M:%S}"
        lines = [
            f"{now}  {head}{visible(error['message'])}",
            f"{fix}{visible(error['hint'])}",
            typer.style(f"  {then}", dim=True),
        ]
        self._write("\n".join(lines), None)

    def line(self, line: LogLine) -> None:
        """Show what an agent printed."""
        if self._json:
            told = {"agent": line.agent, "level": line.level, "text": line.text}
            at = line.at.isoformat()
            self._write(None, {"kind": "log", "at": at, **told, "task_id": line.task_id})
            return
        first, *more = visible(line.text).split("\n")
        if line.level in _LEVELS and line.task_id:
            first += f"  task={line.task_id}"
        name = typer.style(line.agent.ljust(self._width), fg=self.colour(line.agent), bold=True)
        bar = typer.style("│", fg=self.colour(line.agent))
        below = [f"{' ' * 8}  {bar} {_styled(text, line.level)}" for text in more]
        whole = f"{line.at:%H:%M:%S}  {name}  {_styled(first, line.level)}"
        self._write("\n".join([whole, *below]), None)

    def agents(self, agents: Sequence[Mapping[str, Any]]) -> None:
        """Show what can be called; the first of them as a command to copy."""
        for one in agents:
            self._width = max(self._width, len(one["name"]))
        if self._json:
            return
        for one in agents:
            name = typer.style(one["name"], fg=self.colour(one["name"]), bold=True)
            topics = f"   gets {', '.join(one['topics'])}" if one["topics"] else ""
            self._write(f"  {name}({', '.join(one['takes'])}){topics}", None)
        if agents:
            needs = "".join(f" {name}=…" for name in agents[0]["needs"])
            self._write(f"  try: sqswarm submit {agents[0]['name']}{needs} --wait", None)

    def colour(self, agent: str) -> str:
        """Return the agent's colour, the same for as long as dev runs."""
        if agent not in self._colours:
            self._colours[agent] = next(self._next)
        return self._colours[agent]

    def _write(self, text: str | None, document: Mapping[str, Any] | None) -> None:
        with self._lock:
            if document is not None:
                print_json_line(document)
            else:
                typer.echo(text)
            sys.stdout.flush()


def _styled(text: str, level: str) -> str:
    return typer.style(text, fg=_LEVELS.get(level), dim=level == "quiet")


def shown(path: Path, folder: Path) -> str:
    """Return a path as short as it can be said from `folder`."""
    return str(path.relative_to(folder)) if path.is_relative_to(folder) else str(path)
