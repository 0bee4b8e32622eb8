"""The reference of errors: each class of ours, what it means and what to do about it."""

from __future__ import annotations

import ast
import inspect
from collections.abc import Iterator
from importlib import import_module
from pathlib import Path
from types import ModuleType

import sqswarm
from sqswarm.schemas.errors import SwarmError

ROOT = Path(__file__).parents[2]
FOLDERS = ("schemas", "backends", "dispatcher", "workers", "infra", "testing")

_EXITS = {
    1: "1, the task failed",
    2: "2, wrong usage",
    3: "3, cannot reach the swarm",
    4: "4, timed out",
    5: "5, the task asks a person",
}


def error_reference() -> str:
    """Return Markdown: a heading for each error class, its cause, its fix and its exit code."""
    parts = []
    for error in sorted(error_classes(), key=lambda each: (each is not SwarmError, each.__name__)):
        parents = [base.__name__ for base in error.__mro__[1:] if issubclass(base, SwarmError)]
        cause = inspect.cleandoc(error.__doc__ or "")
        lines = [
            f"### {error.__name__}",
            f"**Cause.** {cause}",
            f"**Fix.** {fix_of(error)}",
            f"{_where(error)} · exit code {_EXITS[error.exit_code]}"
            + (f" · a {parents[0]}" if parents else ""),
        ]
        parts.append("\n\n".join(lines))
    return "\n\n".join(parts) + "\n"


def error_classes() -> list[type[SwarmError]]:
    """Return every public class below SwarmError, wherever it is declared."""
    found = {SwarmError}
    for module in _modules():
        for value in vars(module).values():
            if isinstance(value, type) and issubclass(value, SwarmError):
                found.add(value)
    return [error for error in found if not error.__name__.startswith("_")]


def fix_of(error: type[SwarmError]) -> str:
    """Return the hint of a class; where each error has one of its own, say so."""
    if error is not SwarmError and error.hint == SwarmError.hint:
        return "Each error has a hint of its own."
    return error.hint


def _where(error: type[SwarmError]) -> str:
    name = error.__name__
    home = "sqswarm" if name in sqswarm.__all__ else error.__module__
    return f"`from {home} import {name}`"


def _modules() -> Iterator[ModuleType]:
    """Yield the modules that declare an error: others may be heavy, or not installed."""
    names, declared = {"SwarmError"}, dict(_classes())
    while more := {name for name, (bases, _) in declared.items() if bases & names} - names:
        names |= more
    for name in sorted({declared[name][1] for name in names}):
        yield import_module(name)


def _classes() -> Iterator[tuple[str, tuple[set[str], str]]]:
    """Yield name → (names of its bases, module) of every class in the package's source."""
    for folder in FOLDERS:
        for file in sorted((ROOT / folder).rglob("*.py")):
            if "templates" in file.parts:
                continue
            path = file.relative_to(ROOT).with_suffix("")
            module = ".".join(["sqswarm", *path.parts]).removesuffix(".__init__")
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.ClassDef):
                    bases = {base.id for base in node.bases if isinstance(base, ast.Name)}
                    yield node.name, (bases, module)
