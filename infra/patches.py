"""Patches: the names that an agent's code asks `ctx.patched` for, found in it.

Found is what a function asks by a literal name or by a text that a global names, in the function
itself and in functions that are handed its `ctx`. What is asked otherwise is not listed; it works
all the same.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from types import CellType, FunctionType
from typing import Any

from sqswarm.workers.agent import AnyAgent

_ASKS = "patched"


def find_patches(agent: AnyAgent) -> tuple[str, ...]:
    """Return the patches that the code of `agent` asks for, in the order of their names."""
    found: set[str] = set()
    seen: set[FunctionType] = set()
    for part in agent.code:
        if isinstance(part, FunctionType):
            _read(part, found, seen)
    return tuple(sorted(found))


def _read(function: FunctionType, found: set[str], seen: set[FunctionType]) -> None:
    if function in seen or function.__module__.partition(".")[0] == "sqswarm":
        return
    seen.add(function)
    try:
        tree = ast.parse(textwrap.dedent(inspect.getsource(function)))
    except (OSError, SyntaxError, TypeError):
        return  # code without a source
    outside = names_outside(function)
    for call in ast.walk(tree):
        if not isinstance(call, ast.Call):
            continue
        if isinstance(call.func, ast.Attribute) and call.func.attr == _ASKS and call.args:
            name = _value(call.args[0], outside)
            if isinstance(name, str):
                found.add(name)
        elif any(_is_context(one) for one in (*call.args, *(k.value for k in call.keywords))):
            helper = _value(call.func, outside)
            if isinstance(helper, FunctionType):
                _read(helper, found, seen)


def names_outside(function: FunctionType) -> dict[str, Any]:
    """Return what a function finds outside of its code, by name; None for what is not bound yet."""
    cells = zip(function.__code__.co_freevars, function.__closure__ or (), strict=True)
    return {**function.__globals__, **{name: _content(cell) for name, cell in cells}}


def _content(cell: CellType) -> Any:
    try:
        return cell.cell_contents
    except ValueError:
        return None


def _is_context(node: ast.expr) -> bool:
    return isinstance(node, ast.Name) and node.id in {"ctx", "context"}


def _value(node: ast.expr, outside: dict[str, Any]) -> Any:
    match node:
        case ast.Constant(value=value):
            return value
        case ast.Name(id=name):
            return outside.get(name)
        case ast.Attribute(value=ast.Name(id=module), attr=name):
            return getattr(outside.get(module), name, None)
    return None
