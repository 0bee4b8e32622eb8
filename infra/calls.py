"""Calls: which agents an agent starts tasks of, found in its code. Its role allows no others.

What is found is certain: an agent whose code is not plain enough is taken to call every agent.
"""

from __future__ import annotations

import ast
import inspect
import textwrap
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from types import FunctionType, ModuleType
from typing import Any

from sqswarm.infra.patches import find_patches, names_outside
from sqswarm.schemas.agent_spec import AgentSpec
from sqswarm.schemas.errors import InvalidAgent
from sqswarm.workers.agent import Agent, AnyAgent
from sqswarm.workers.durable.context import TaskContext

_STARTS = frozenset({"call", "map", "task"})
"""Methods of the context whose first argument is an agent."""

_OPAQUE = frozenset({"journal", "worker"})
_HARMLESS = {name for name in {*dir(TaskContext), *TaskContext.__annotations__} if name[0] != "_"}
_HARMLESS -= _STARTS | _OPAQUE


class _UnreadableError(Exception):
    """This code may call anybody."""


def spec_with_calls(agent: AnyAgent) -> AgentSpec:
    """Return an agent's declaration with its code's patches, and `calls` if it declares none."""
    spec = replace(agent.spec, patches=find_patches(agent))
    return replace(spec, calls=find_calls(agent)) if spec.calls is None else spec


def find_calls(agent: AnyAgent) -> tuple[str, ...] | None:
    """Return the agents that the code of `agent` calls, None where that cannot be read from it."""
    found: set[str] = set()
    try:
        for part in agent.code:
            if isinstance(part, str):
                found.add(part)
            elif part is None:
                return None
            elif "ctx" in inspect.signature(part).parameters:
                found |= _Code(part, "ctx", set()).calls()
    except _UnreadableError:
        return None
    return tuple(sorted(found))


class _Code:
    """One function, as far as it uses the context, which it knows under the name `ctx`."""

    def __init__(self, function: Callable[..., Any], ctx: str, seen: set[object]) -> None:
        """Parse it; `seen` holds what is read already."""
        function = getattr(function, "__func__", function)
        if not isinstance(function, FunctionType) or hasattr(function, "__wrapped__"):
            raise _UnreadableError
        try:
            tree = ast.parse(textwrap.dedent(inspect.getsource(function))).body[0]
        except (OSError, SyntaxError, TypeError) as error:
            raise _UnreadableError from error
        if not isinstance(tree, ast.FunctionDef | ast.AsyncFunctionDef):
            raise _UnreadableError
        self._outside = names_outside(function)
        self._ctx = ctx
        self._seen = seen
        self._nodes = [node for statement in tree.body for node in ast.walk(statement)]
        self._parents = {
            child: node for node in self._nodes for child in ast.iter_child_nodes(node)
        }
        self._inside = {*_bound(self._nodes), *inspect.signature(function).parameters}

    def calls(self) -> set[str]:
        """Return the names of the agents that it calls."""
        if self._ctx in _bound(self._nodes):  # it stands for something else as well
            raise _UnreadableError
        uses = [n for n in self._nodes if isinstance(n, ast.Name) and n.id == self._ctx]
        return {name for use in uses for name in self._use(use)}

    def _use(self, use: ast.Name) -> set[str]:
        parent = self._parents.get(use)
        if isinstance(parent, ast.Attribute):
            if parent.attr in _HARMLESS:
                return set()
            call = self._parents.get(parent)
            if parent.attr in _STARTS and isinstance(call, ast.Call) and call.args:
                return self._agents(call.args[0])
        if isinstance(parent, ast.keyword):
            call = self._parents[parent]
            return self._helper(call, lambda _: parent.arg)
        if isinstance(parent, ast.Call) and use in parent.args:
            at = parent.args.index(use)
            return self._helper(parent, lambda names: names[at] if at < len(names) else None)
        raise _UnreadableError

    def _helper(self, call: ast.AST, name_of: Callable[[list[str]], str | None]) -> set[str]:
        """Read a function that the context is handed to."""
        if not isinstance(call, ast.Call) or any(isinstance(a, ast.Starred) for a in call.args):
            raise _UnreadableError
        function = self._value(call.func)
        if not isinstance(function, FunctionType):
            raise _UnreadableError
        name = name_of(list(inspect.signature(function).parameters))
        if name is None:
            raise _UnreadableError
        if (function, name) in self._seen:
            return set()
        self._seen.add((function, name))
        return _Code(function, name, self._seen).calls()

    def _agents(self, node: ast.expr) -> set[str]:
        if isinstance(node, ast.IfExp):
            return self._agents(node.body) | self._agents(node.orelse)
        value = self._value(node)
        if isinstance(value, Agent):
            return {value.name}
        if isinstance(value, str):
            return {value}
        raise _UnreadableError

    def _value(self, node: ast.expr) -> Any:
        """Return what a constant, a name from outside the function or a member of one stands for.

        A name that the function binds itself may stand for anything.
        """
        match node:
            case ast.Constant(value=value):
                return value
            case ast.Name(id=name) if name in self._outside and name not in self._inside:
                return self._outside[name]
            case ast.Attribute(value=inner, attr=name):
                owner = self._value(inner)
                if isinstance(owner, ModuleType | Agent) and hasattr(owner, name):
                    return getattr(owner, name)
        raise _UnreadableError


def _bound(nodes: list[ast.AST]) -> Iterator[str]:
    """Yield the names that the code binds: by assignment, as arguments, definitions, imports."""
    for node in nodes:
        match node:
            case ast.Name(id=name, ctx=ast.Store() | ast.Del()) | ast.arg(arg=name):
                yield name
            case ast.FunctionDef(name=name) | ast.AsyncFunctionDef(name=name):
                yield name
            case ast.ClassDef(name=name) | ast.ExceptHandler(name=str(name)):
                yield name
            case ast.Import(names=aliases) | ast.ImportFrom(names=aliases):
                yield from ((one.asname or one.name).partition(".")[0] for one in aliases)
            case ast.MatchAs(name=str(name)) | ast.MatchStar(name=str(name)):
                yield name
            case ast.MatchMapping(rest=str(name)):
                yield name
            case ast.Global(names=names) | ast.Nonlocal(names=names):
                yield from names


def specs_with_calls(agents: Mapping[str, AnyAgent]) -> dict[str, AgentSpec]:
    """Return the declarations of a stage's agents, with whom they call.

    Raises InvalidAgent where one declares to call an agent that the stage does not have.
    """
    for name, agent in agents.items():
        for other in agent.spec.calls or ():
            if other not in agents:
                message = f"agent {name!r} declares calls={other!r}, and there is no such agent"
                raise InvalidAgent(message, hint=f"There are: {', '.join(agents)}.")
    return {name: spec_with_calls(agent) for name, agent in agents.items()}
