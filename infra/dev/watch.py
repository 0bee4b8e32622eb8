"""Watch: which files of a project were saved."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path

from watchfiles import Change, DefaultFilter, watch

from sqswarm.infra.project import Project

_QUIET_MS = 30
"""An editor writes a file, renames it and touches it again: one save is one change."""
_IGNORED = (".venv", "venv", "build", "dist", "tests", ".ruff_cache", ".tox", "htmlcov")


class _Sources(DefaultFilter):
    """Lets pass what goes into the archive, and what says what goes in."""

    def __init__(self) -> None:
        super().__init__(ignore_dirs=(*self.ignore_dirs, *_IGNORED))

    def __call__(self, change: Change, path: str) -> bool:
        parts = Path(path).parts
        hidden = any(part.startswith(".") for part in parts[-1:])
        return super().__call__(change, path) and not hidden and not path.endswith(".egg-info")


def watched_folders(project: Project) -> list[Path]:
    """Return the folders that a project's code lies in, each once, none within another."""
    named = {project.root, *project.pythonpath}
    for module in project.modules:  # they may lie elsewhere, installed as editable
        spec = find_spec(module.partition(".")[0])
        places = list(spec.submodule_search_locations or ()) if spec else []
        named.update(Path(place).resolve() for place in places)
    found = sorted({folder.resolve() for folder in named}, key=lambda one: len(one.parts))
    kept: list[Path] = []
    for folder in found:
        if not any(folder.is_relative_to(parent) for parent in kept):
            kept.append(folder)
    return kept


def saves(folders: Sequence[Path], stop: threading.Event) -> Iterator[list[Path]]:
    """Yield the files of each save, until `stop` is set."""
    for changes in watch(
        *folders,
        watch_filter=_Sources(),
        step=_QUIET_MS,
        debounce=500,
        rust_timeout=500,
        stop_event=stop,
    ):
        yield sorted({Path(path) for _, path in changes})


def saved_s_ago(files: Sequence[Path]) -> float | None:
    """Return how long ago the newest of the files was written; None where the files do not tell.

    The clock of the file system and ours are one; an older time is that of a file moved here.
    """
    times = [file.stat().st_mtime for file in files if file.exists()]
    age_s = time.time() - max(times, default=0.0)
    return age_s if 0 <= age_s < _RECENT_S else None


_RECENT_S = 60.0
