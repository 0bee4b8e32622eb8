"""Agents: the signature is the schema, the docstring the description."""

from __future__ import annotations

from typing import Annotated, Any

import pytest
from pydantic import BaseModel, Field, ValidationError

from sqswarm import TaskContext, agent
from sqswarm.schemas.agent_spec import Subscription
from sqswarm.schemas.catalogue import Catalogue
from sqswarm.schemas.errors import InvalidAgent, InvalidReturn


class Keywords(BaseModel):
    words: list[str]


@agent(timeout=7, topics=["documents", Subscription(topic="mails", types=("invoice",))])
async def keywords(
    text: Annotated[str, Field(description="What to read")], top: int = 10, *, ctx: TaskContext
) -> Keywords:
    """Find keywords.

    The most telling first.
    """
    return Keywords(words=text.split()[:top])


@agent
def shout(text: str) -> str:
    return text.upper()


@agent
def untyped(x: int):
    return x


def test_the_declaration_becomes_a_spec():
    spec = keywords.spec
    assert spec.name == "keywords"
    assert spec.description == "Find keywords.\n\nThe most telling first."
    assert spec.input_schema["properties"]["text"]["description"] == "What to read"
    assert spec.input_schema["required"] == ["text"]
    assert spec.input_schema["additionalProperties"] is False
    assert "ctx" not in spec.input_schema["properties"]
    assert spec.output_schema["properties"]["words"]["type"] == "array"
    assert (spec.wrapped, spec.function_timeout_s, spec.lease_s, spec.visibility_s) == (
        False,
        12,
        17,
        72,
    )


def test_lease_and_visibility_outlast_the_longest_run():
    assert shout.spec.timeout_s < shout.spec.function_timeout_s < shout.spec.lease_s
    assert shout.spec.lease_s <= shout.spec.visibility_s


def test_a_decorated_function_can_still_be_called():
    assert shout("a") == "A"


def test_mcp_itself_accepts_the_tool_definitions():
    from mcp.types import Tool

    catalogue = Catalogue.of([keywords.spec, shout.spec, untyped.spec])
    tools = [Tool.model_validate(entry.tool()) for entry in catalogue.agents.values()]
    assert [tool.name for tool in tools] == ["keywords", "shout", "untyped"]


def test_the_catalogue_survives_its_file():
    catalogue = Catalogue.of([keywords.spec, shout.spec])
    assert Catalogue.load(catalogue.dump()) == catalogue


def test_values_that_are_no_objects_are_wrapped():
    assert shout.spec.output_schema["properties"]["result"]["type"] == "string"
    assert shout.signature.encode("x") == ('{"result":"x"}', True)
    assert untyped.signature.encode({"a": 1}) == ('{"a":1}', False)
    assert keywords.signature.encode({"words": ["a"]}) == ('{"words":["a"]}', False)


def test_arguments_are_bound_with_their_types():
    bound = keywords.signature.bind({"text": "a b"})
    assert bound == {"text": "a b", "top": 10}
    with pytest.raises(ValidationError):
        keywords.signature.bind({"text": "a", "tpo": 3})


@pytest.mark.parametrize(
    ("which", "value"),
    [
        pytest.param(keywords, {"words": 3}, id="wrong-type"),
        pytest.param(keywords, None, id="nothing"),
        pytest.param(untyped, object(), id="no-json"),
        pytest.param(untyped, float("nan"), id="nan"),
    ],
)
def test_a_bad_return_value_is_refused(which, value):
    with pytest.raises(InvalidReturn, match=which.name):
        which.signature.encode(value)


def positional(x: int, /): ...
def starred(*args: int): ...
def without_type(x): ...
def reserved(delay: int): ...
def unknown_type(x: Nowhere): ...  # noqa: F821
def other_context(context: TaskContext): ...
def no_schema(x: type[Any] | object, y: Tuple): ...  # noqa: F821


@pytest.mark.parametrize(
    "function",
    [positional, starred, without_type, reserved, unknown_type, other_context, no_schema],
)
def test_a_signature_that_json_cannot_fill_is_refused_with_a_hint(function):
    with pytest.raises(InvalidAgent) as caught:
        agent(function).spec  # noqa: B018
    assert function.__name__ in str(caught.value)
    assert caught.value.hint


@pytest.mark.parametrize(
    "options",
    [
        pytest.param({"timeout": 0}, id="no-time"),
        pytest.param({"timeout": 10_000}, id="longer-than-lambda"),
        pytest.param({"concurrency": 1}, id="below-what-aws-allows"),
        pytest.param({"memory": 64}, id="too-little-memory"),
        pytest.param({"max_attempts": 0}, id="no-attempt"),
        pytest.param({"durability": "eternal"}, id="unknown-durability"),
        pytest.param({"name": "Shout"}, id="capital-letters"),
        pytest.param({"name": "tasks"}, id="a-name-of-the-swarm"),
        pytest.param({"topics": "documents"}, id="topics-is-a-string"),
        pytest.param({"topics": ["a", "a"]}, id="a-topic-twice"),
    ],
)
def test_a_declaration_that_cannot_work_is_refused_where_it_stands(options):
    with pytest.raises(InvalidAgent):
        agent(**options)(lambda: None)


async def yields(n: int):
    yield n


def counts(n: int):
    yield n


@pytest.mark.parametrize("function", [yields, counts])
def test_a_generator_is_refused_when_it_is_declared(function):
    with pytest.raises(InvalidAgent, match="yields") as caught:
        agent(function)
    assert "Return a list" in caught.value.hint
