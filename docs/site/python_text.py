"""The reference of Python as plain text, for the copies of pages that language models read."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from importlib import import_module
from typing import Any

_DIRECTIVE = re.compile(r"^::: ([\w.]+)\.(\w+)\n(?:    .*\n?)*", re.MULTILINE)


def with_python_text(markdown: str) -> str:
    """Return the page with each `::: module.name` as its signature and docstrings."""
    return _DIRECTIVE.sub(lambda found: "\n\n".join(_told(found[1], found[2])) + "\n", markdown)


def _told(module: str, name: str) -> Iterator[str]:
    value = getattr(import_module(module), name)
    yield f"### {name}"
    yield _code(name, value)
    yield inspect.getdoc(value) or ""
    for each, member in _members(value):
        if isinstance(member, (classmethod, staticmethod)):
            member = member.__func__  # noqa: PLW2901 - the function within
        if each[0] != "_" and (inspect.isfunction(member) or isinstance(member, property)):
            yield _code(f"{name}.{each}", member)
            yield inspect.getdoc(member) or ""


def _members(value: Any) -> Iterator[tuple[str, Any]]:
    """Yield what a class has of its own and from our other classes, each once."""
    seen = set()
    for base in value.__mro__ if isinstance(value, type) else ():
        if base.__module__.startswith("sqswarm."):
            for name, member in vars(base).items():
                if name not in seen:
                    seen.add(name)
                    yield name, member


def _code(name: str, value: Any) -> str:
    before = "async " if inspect.iscoroutinefunction(value) else ""
    signature = "" if isinstance(value, property) else str(inspect.signature(value))
    return f"```python\n{before}{name}{signature}\n```"
