"""Logs: one JSON object a line, noun and past-tense verb, fields beside it."""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from typing import Any, TextIO

from sqswarm.backends.secrets import hide
from sqswarm.schemas.json import dumps


@dataclass(frozen=True, kw_only=True)
class Log:
    """Writes events with bound fields to a stream (Lambda keeps standard output)."""

    stream: TextIO = field(default_factory=lambda: sys.stdout)
    bound: dict[str, Any] = field(default_factory=dict)

    def bind(self, **fields: Any) -> Log:
        """Return a log that adds these fields to every event."""
        return Log(stream=self.stream, bound={**self.bound, **fields})

    def info(self, event: str, **fields: Any) -> None:
        """Write what happened."""
        self._write("INFO", event, fields)

    def warning(self, event: str, **fields: Any) -> None:
        """Write what went wrong and was handled."""
        self._write("WARNING", event, fields)

    def error(self, event: str, **fields: Any) -> None:
        """Write what somebody should look at."""
        self._write("ERROR", event, fields)

    def _write(self, level: str, event: str, fields: dict[str, Any]) -> None:
        line = {"level": level, "event": event, **self.bound, **fields}
        try:
            text = dumps(line)
        except (TypeError, ValueError):
            text = dumps({name: str(value) for name, value in line.items()})
        self.stream.write(hide(text) + "\n")
        self.stream.flush()
