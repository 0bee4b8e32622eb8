"""Whom an agent calls, found in its code; whatever cannot be read may be anybody."""

import called_code as code
import pytest

from sqswarm import ClaudeAgent, agent
from sqswarm.infra.calls import find_calls, spec_with_calls, specs_with_calls
from sqswarm.schemas.errors import InvalidAgent
from sqswarm.workers.claude.tools import Tool, ask_person, tool


@pytest.mark.parametrize(
    ("function", "found"),
    [
        pytest.param(lambda text: text, (), id="no context"),
        (code.nothing, ()),
        (code.literal, ("five", "four", "one", "three")),
        (code.objects, ("far", "leaf", "named", "renamed")),
        (code.choice, ("left", "right")),
        (code.nested, ("inner",)),
        (code.helped, ("far", "helped", "renamed")),
        pytest.param(code.closing("closed"), ("closed",), id="closed"),
        pytest.param(code.closing(code.leaf), ("leaf",), id="closed-agent"),
    ],
)
def test_whom_plain_code_calls_is_found(function, found):
    assert find_calls(agent(name="a")(function)) == found


@pytest.mark.parametrize(
    "name",
    [
        *("variable", "loop", "alias", "bound", "reached", "inside", "given_away", "starred"),
        *("named_by_word", "shadowed", "formatted", "wrapped", "unseen"),
    ],
)
def test_code_that_does_not_tell_may_call_anybody(name):
    assert find_calls(agent(getattr(code, name))) is None


def claude(*tools):
    return ClaudeAgent("c", model="claude-sonnet-5-5", tools=tools)


class OwnTool(Tool):
    async def definition(self, ctx):  # noqa: ARG002 - others ask it
        return {"description": "", "input_schema": {}}

    async def call(self, tool_call):
        return await tool_call.ctx.call("hidden")


def add(a: int) -> int:
    return a


async def asks_leaf(a: int, *, ctx) -> int:
    return await ctx.call(code.leaf, text=str(a))


@pytest.mark.parametrize(
    ("tools", "found"),
    [
        ((), ()),
        ((add, ask_person()), ()),
        ((code.leaf, "named", tool(code.other, name="o")), ("leaf", "named", "renamed")),
        ((asks_leaf,), ("leaf",)),
        ((code.variable,), None),
        ((OwnTool(name="own"),), None),
    ],
)
def test_a_claude_agent_calls_by_its_tools(tools, found):
    assert find_calls(claude(*tools)) == found


def test_what_is_declared_counts_alone():
    assert spec_with_calls(agent(calls=[code.leaf, "b", "b"])(code.variable)).calls == ("b", "leaf")
    assert spec_with_calls(agent(calls=[])(code.literal)).calls == ()


def test_calls_of_an_agent_that_the_stage_does_not_have_are_refused():
    agents = {"a": agent(name="a", calls=["leaf", "lost"])(code.nothing), "leaf": code.leaf}
    with pytest.raises(InvalidAgent, match="calls='lost'") as caught:
        specs_with_calls(agents)
    assert caught.value.hint == "There are: a, leaf."


def test_one_string_is_no_list_of_calls():
    with pytest.raises(InvalidAgent) as caught:
        agent(calls="leaf")(code.nothing)
    assert "calls=['leaf']" in caught.value.hint
