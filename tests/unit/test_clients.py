"""Swarm and AsyncSwarm, Task and AsyncTask: alike, and generous about what names an agent."""

import inspect
from collections.abc import AsyncGenerator, Iterator
from typing import get_origin, get_type_hints

import pytest

from sqswarm import AsyncMapRun, AsyncSwarm, AsyncTask, ClaudeAgent, MapRun, Swarm, Task, agent
from sqswarm.backends.runner import iterate_straight
from sqswarm.schemas.errors import UsageError
from sqswarm.schemas.naming import agent_name

PAIRS = [(Swarm, AsyncSwarm), (Task, AsyncTask), (MapRun, AsyncMapRun)]
NOT_AWAITED = {"agents", "principal"}
"""They know without asking anybody."""


def public(kind):
    return {
        name: found
        for part in reversed(kind.__mro__[:-1])
        for name, found in vars(part).items()
        if not name.startswith("_")
    }


MEMBERS = [
    pytest.param(blocking, awaited, name, id=f"{blocking.__name__}.{name}")
    for blocking, awaited in PAIRS
    for name in public(blocking)
]


@pytest.mark.parametrize(("blocking", "awaited"), PAIRS)
def test_both_clients_have_the_same_names(blocking, awaited):
    assert list(public(blocking)) == list(public(awaited))


@pytest.mark.parametrize(("blocking", "awaited", "name"), MEMBERS)
def test_a_name_has_one_shape_in_both_clients(blocking, awaited, name):
    mine, theirs = public(blocking)[name], public(awaited)[name]
    assert type(mine) is type(theirs)
    mine, theirs = getattr(blocking, name), getattr(awaited, name)
    assert inspect.getdoc(mine)
    assert inspect.getdoc(theirs)
    if isinstance(mine, property):
        return

    def shape(function):
        return [
            (p.name, p.kind, p.default) for p in inspect.signature(function).parameters.values()
        ]

    assert shape(mine) == shape(theirs)
    streams = get_origin(get_type_hints(mine)["return"]) is Iterator
    if streams:
        assert get_origin(get_type_hints(theirs)["return"]) is AsyncGenerator
    else:
        assert inspect.iscoroutinefunction(theirs) is (name not in NOT_AWAITED)
    assert not inspect.iscoroutinefunction(mine)


@agent(name="greet-all")
def greet(name: str) -> str:
    return f"Hello, {name}!"


@pytest.mark.parametrize(
    ("given", "name"),
    [
        pytest.param("greet", "greet", id="its-name"),
        pytest.param(greet, "greet-all", id="itself"),
        pytest.param(
            ClaudeAgent("trip", model="claude-sonnet-5-5", system="Plan."), "trip", id="claude"
        ),
    ],
)
def test_an_agent_is_given_by_name_or_as_itself(given, name):
    assert agent_name(given) == name


def undecorated(name: str) -> str:
    return name


@pytest.mark.parametrize("given", [undecorated, 7, None])
def test_what_is_no_agent_is_refused_with_what_to_do(given):
    with pytest.raises(UsageError, match="is not an agent") as refused:
        agent_name(given)
    assert refused.value.hint == "Decorate it with @agent, or pass the agent's name."


def test_a_stream_that_is_left_early_is_closed():
    closed = []

    async def numbers():
        try:
            for number in range(10):
                yield number
        finally:
            closed.append(True)

    stream = iterate_straight(numbers())
    assert [next(stream), next(stream)] == [0, 1]
    stream.close()
    assert closed == [True]
    assert list(iterate_straight(numbers())) == list(range(10))
