"""A plugin of mypy's: arguments beside options, and agents whose `ctx` stands behind theirs.

    [tool.mypy]
    plugins = ["sqswarm.mypy_plugin"]

Annotations say what an agent that is given as itself takes, but for two things that no signature
can: a parameter taken away from anywhere but the front, and options beside a ParamSpec's arguments.
"""

from __future__ import annotations

from collections.abc import Callable

from mypy.expandtype import expand_type
from mypy.maptype import map_instance_to_supertype
from mypy.nodes import ARG_NAMED_OPT, ARG_POS, ArgKind
from mypy.plugin import MethodSigContext, Plugin
from mypy.types import (
    CallableType,
    FunctionLike,
    Instance,
    Overloaded,
    Parameters,
    Type,
    get_proper_type,
)

_AGENT = "sqswarm.workers.agent.Agent"
_STARTS = {
    "submit": {
        "sqswarm.dispatcher.starting.Starting",
        "sqswarm.dispatcher.async_starting.AsyncStarting",
    },
    "call": {"sqswarm.workers.durable.context.TaskContext"},
    "task": {"sqswarm.workers.durable.context.TaskContext"},
}
"""Methods that start tasks, and whose they are: a subclass's are theirs too."""


class SqswarmPlugin(Plugin):
    """Reads the agent that a call is given, and says what the call takes and returns."""

    def get_method_signature_hook(
        self, fullname: str
    ) -> Callable[[MethodSigContext], FunctionLike] | None:
        """Return what looks at a call of `fullname`, if that starts tasks."""
        name = fullname.rpartition(".")[2]
        return (lambda call: _signature(call, name)) if name in _STARTS else None


def _signature(call: MethodSigContext, name: str) -> FunctionLike:
    declared = call.default_signature
    on = get_proper_type(call.type)
    if not isinstance(on, Instance) or not any(on.type.has_base(one) for one in _STARTS[name]):
        return declared
    agent = _agent_of(call)
    if agent is None:
        return declared
    takes, returns = map(get_proper_type, agent.args)
    by_name = isinstance(get_proper_type(declared.arg_types[0]), Instance) and not declared.variables
    if by_name or not isinstance(takes, Parameters) or takes.is_ellipsis_args:
        return declared
    if isinstance(returns, Instance) and returns.type.fullname == "typing.Coroutine":
        returns = get_proper_type(returns.args[2])
    given = zip(takes.arg_types, takes.arg_kinds, takes.arg_names, strict=True)
    own = [one for one in given if one[2] != "ctx"]
    every: list[tuple[Type, ArgKind, str | None]] = [(agent, ARG_POS, None), *own]
    every += _options(on, name)
    types, kinds, names = (list(column) for column in zip(*every, strict=True))
    result = {one.id: returns for one in declared.variables if one.name == "R"}
    return declared.copy_modified(
        arg_types=types,
        arg_kinds=kinds,
        arg_names=names,
        ret_type=expand_type(declared.ret_type, result),
        variables=(),
    )


def _agent_of(call: MethodSigContext) -> Instance | None:
    """Return the call's agent as an Agent; None for a name."""
    if not call.args or not call.args[0]:
        return None
    given = get_proper_type(call.api.get_expression_type(call.args[0][0]))
    if isinstance(given, Instance):
        for base in given.type.mro:
            if base.fullname == _AGENT:
                return map_instance_to_supertype(given, base)
    return None


def _options(on: Instance, name: str) -> list[tuple[Type, ArgKind, str | None]]:
    """Return the method's own keywords: those of its first overload, which takes a name."""
    found = on.type.get_method(name)
    kind = get_proper_type(found.type) if found is not None else None
    if not isinstance(kind, Overloaded):
        return []
    first: CallableType = kind.items[0]
    return [
        (one, ARG_NAMED_OPT, option)
        for one, how, option in zip(first.arg_types, first.arg_kinds, first.arg_names, strict=True)
        if how == ARG_NAMED_OPT
    ]


def plugin(version: str) -> type[SqswarmPlugin]:
    """Return the plugin, for mypy."""
    del version
    return SqswarmPlugin
