"""Typed: what a checker and a caller know of an agent that is given as itself, not by its name.

Its function's parameters are what `submit` takes, without `ctx` where that comes first; its return
annotation is what `result()` returns. A checker can take a parameter away only from the front: an
agent with `*, ctx: TaskContext` behind its arguments is given to typed code by its name.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Concatenate, ParamSpec, Protocol, TypeVar

from sqswarm.schemas.errors import InvalidArguments
from sqswarm.schemas.naming import NamedAgent, agent_name

P = ParamSpec("P")
R_co = TypeVar("R_co", covariant=True)

Parse = Callable[[Any], Any]
"""Turns a result as JSON has it into what the agent's annotation says; raises InvalidReturn."""


class TypedAgent(Protocol[P, R_co]):
    """An agent as itself: its name, and the function that it still is."""

    @property
    def name(self) -> str:
        """Return the name it is deployed under."""
        ...

    def __call__(self, *args: P.args, **kwargs: P.kwargs) -> R_co:
        """Call the plain function."""
        ...


if TYPE_CHECKING:
    from typing_extensions import TypeVar as TypeVarWithDefault

    from sqswarm.workers.durable.context import TaskContext

    R = TypeVarWithDefault("R", default=Any)
    Waits = TypedAgent[Concatenate[TaskContext, P], Coroutine[Any, Any, R]]
    Async = TypedAgent[P, Coroutine[Any, Any, R]]
    Takes = TypedAgent[Concatenate[TaskContext, P], R]
    Plain = TypedAgent[P, R]
    AnyAsync = TypedAgent[..., Coroutine[Any, Any, R]]
    AnyPlain = TypedAgent[..., R]
else:  # whoever evaluates annotations finds something
    R = TypeVar("R")
    Waits = Async = Takes = Plain = AnyAsync = AnyPlain = NamedAgent


def parser_of(agent: str | NamedAgent) -> Parse | None:
    """Return what makes an agent's result what it says; None for a name: JSON stays JSON."""
    return None if isinstance(agent, str) else getattr(agent, "parse_result", None)


def arguments_of(
    agent: str | NamedAgent, given: Sequence[Any], named: Mapping[str, Any]
) -> dict[str, Any]:
    """Return all arguments by their names; raises InvalidArguments for one too many."""
    if not given:
        return dict(named)
    name = agent_name(agent)
    if isinstance(agent, str) or not callable(agent):
        message = f"an argument of {name!r} has no name"
        raise InvalidArguments(message, hint="Write name=value, or pass the agent itself.")
    names = [one for one in inspect.signature(agent).parameters if one != "ctx"]
    if len(given) > len(names):
        message = f"the agent {name!r} takes {len(names)} arguments, not {len(given)}"
        raise InvalidArguments(message)
    placed = dict(zip(names, given, strict=False))
    if twice := placed.keys() & named.keys():
        message = f"the argument {min(twice)!r} of {name!r} is given twice"
        raise InvalidArguments(message)
    return {**placed, **named}
