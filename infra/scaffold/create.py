"""Create: a small project that runs, copied from a template."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Literal, get_args

import sqswarm
from sqswarm.schemas.errors import UsageError

Template = Literal["enrichment", "jobs", "claude"]
TEMPLATES: tuple[Template, ...] = get_args(Template)

ABOUT: dict[Template, str] = {
    "enrichment": "documents are described and filed; a person is asked about some",
    "jobs": "orders start jobs, which are tried again and wait for days",
    "claude": "mails are answered by Claude, and sorted by a function",
}
"""What a template's agents do, in a line."""

_COMMON = "common"
_NAME = "my-swarm"
"""What templates call their project: a name that works, so that each is a project as it stands."""

_CACHE = re.compile(r"(^|/)(__pycache__|\.\w+_cache)/")
"""What tools leave in a checkout's templates."""

_NOT_IN_THE_WAY = frozenset({".git", ".venv", "venv", ".idea", ".vscode", ".DS_Store"})
"""What a folder may hold that nobody would call a project: nothing is written there."""


def create_project(folder: Path, template: str) -> list[Path]:
    """Write the template's files into `folder` and return them, relative to it.

    The project gets the folder's name. Raises UsageError where there is no such template, and
    where the folder holds anything already: nothing is ever written over.
    """
    if template not in TEMPLATES:
        hint = f"Choose one of {', '.join(TEMPLATES)}."
        raise UsageError(f"there is no template {template!r}", hint=hint)
    _check_room(folder)
    sources = sorted(_files(template))
    for name, source in sources:
        target = folder / name
        target.parent.mkdir(parents=True, exist_ok=True)
        text = source.read_text(encoding="utf-8")
        target.write_text(text.replace(_NAME, project_name(folder)), encoding="utf-8")
    return [Path(name) for name, _ in sources]


def project_name(folder: Path) -> str:
    """Return the folder's name as packages may be called; `my-swarm` where nothing is left of it.

    Source: PyPA name normalisation.
    """
    plain = folder.resolve().name.encode("ascii", "ignore").decode().lower()
    return re.sub(r"[^a-z0-9]+", "-", plain).strip("-") or _NAME


def _check_room(folder: Path) -> None:
    if folder.exists() and not folder.is_dir():
        raise UsageError(f"{folder} is a file", hint="Name a new folder: sqswarm init my-swarm")
    if not folder.exists():
        return
    found = sorted({path.name for path in folder.iterdir()} - _NOT_IN_THE_WAY)
    if found:
        shown = ", ".join(found[:3]) + (f" and {len(found) - 3} more" if len(found) > 3 else "")  # noqa: PLR2004 - as many as fit a line
        what = "this folder" if folder == Path() else str(folder)
        raise UsageError(
            f"{what} is not empty: it holds {shown}",
            hint="Name a new folder: sqswarm init my-swarm. Nothing was written.",
        )


def _files(template: str) -> Iterator[tuple[str, Path]]:
    """Yield path within the project → file on disk; a template's own stand over the common."""
    found: dict[str, Path] = {}
    for part in (_COMMON, template):
        root = Path(sqswarm.__file__).parent / "infra" / "scaffold" / "templates" / part
        files = (path for path in root.rglob("*") if path.is_file())
        found.update({path.relative_to(root).as_posix(): path for path in files})
    yield from ((name, path) for name, path in found.items() if not _CACHE.search(name))
