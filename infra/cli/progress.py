"""Progress: a bar on stderr while many things are done."""

from __future__ import annotations

import sys
from typing import Self


class Bar:
    """A progress bar on stderr, where that is a terminal."""

    def __init__(self, text: str, *, total: int | None, hidden: bool) -> None:
        """Begin with `text`; without a total the bar only shows that something is done."""
        self._text = text
        self._total = total
        self._hidden = hidden or not sys.stderr.isatty()

    def __enter__(self) -> Self:
        """Show the bar."""
        if not self._hidden:
            from rich.console import Console
            from rich.progress import Progress

            self._progress = Progress(
                console=Console(stderr=True),
                transient=True,
                # Else rich takes stdout to stderr, above the bar: right only for a terminal.
                redirect_stdout=sys.stdout.isatty(),
            )
            self._progress.start()
            self._task = self._progress.add_task(self._text, total=self._total)
        return self

    def __exit__(self, *_: object) -> None:
        """Take the bar away."""
        if not self._hidden:
            self._progress.stop()

    def advance(self, text: str) -> None:
        """One more is done."""
        if not self._hidden:
            self._progress.update(self._task, advance=1, description=text)

    def show(self, done: int, text: str) -> None:
        """So many are done."""
        if not self._hidden:
            self._progress.update(self._task, completed=done, description=text)
