"""What callers send and get, as pydantic models: they make the OpenAPI document.

Requests are validated by them. The answers are the swarm's own JSON (`TaskView.to_json` and
others); the tests hold every answer against these models.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, RootModel
from pydantic.alias_generators import to_camel

from sqswarm.schemas.agent_spec import Durability
from sqswarm.schemas.journal import SLEEP_LIMIT_S
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.notice import MOST_TARGETS, TARGET_LIMIT
from sqswarm.schemas.tags import MOST_TAGS, TAG_KEY_LIMIT, TAG_VALUE_LIMIT

LONGEST_WAIT_S = 20
"""A long poll has to end before the proxies in between lose patience (API Gateway: 29 s)."""

MOST_LISTED = 200

_MessageGroup = Annotated[
    str,
    # Source: SQS SendMessage, MessageGroupId: 1 to 128 letters, digits and punctuation.
    Field(pattern=r"^[!-~]{1,128}$"),
]


# As `sqswarm.schemas.json.name_fault` has it, in what JSON Schema's regular expressions can say.
_TAG = r"^[^\u0000-\u001f\u007f\ufffe\uffff]+$"
_Name = Annotated[str, Field(pattern=r"^[^\u0000-\u001f\u007f\ufffe\uffff]*$")]
_Topic = Annotated[str, Field(pattern=r"^[^#\u0000-\u001f\u007f\ufffe\uffff]*$")]


_TagKey = Annotated[str, Field(pattern=_TAG, max_length=TAG_KEY_LIMIT)]
_TagValue = Annotated[str, Field(pattern=_TAG, max_length=TAG_VALUE_LIMIT)]
_KEYS: dict[str, JsonValue] = {"pattern": _TAG, "minLength": 1, "maxLength": TAG_KEY_LIMIT}
# Pydantic's schema says what keys of that pattern have as values, and lets any other key be.
_Tags = Annotated[
    dict[_TagKey, _TagValue],
    Field(max_length=MOST_TAGS, json_schema_extra={"propertyNames": _KEYS}),
]
_CHARACTER = r"\u0000-\u001f\u007f\ufffe\uffff"
_Pair = Annotated[
    str,
    Field(
        pattern=rf"^[^={_CHARACTER}]{{1,{TAG_KEY_LIMIT}}}=[^{_CHARACTER}]{{1,{TAG_VALUE_LIMIT}}}$"
    ),
]


def _iso(value: Any) -> Any:
    """Refuse what pydantic takes for a time besides ISO 8601: numbers, dates alone."""
    if isinstance(value, str) and not re.match(r"[0-9]{4}-[0-9]{2}-[0-9]{2}[T ]", value):
        message = "is no time in ISO 8601"
        raise ValueError(message)
    return value


_Moment = Annotated[datetime, BeforeValidator(_iso)]
_Ago = Annotated[str, Field(pattern=r"^[0-9]{1,9}[smhdw]$")]


def _whole(value: Any) -> Any:
    """Return 5.0 as 5: JSON has one kind of number, and its schemas take both for an integer."""
    return int(value) if isinstance(value, float) and value.is_integer() else value


_Target = Annotated[str, Field(min_length=1, max_length=TARGET_LIMIT)]


class NewTask(BaseModel):
    """One task for one agent."""

    model_config = ConfigDict(extra="forbid", strict=True)

    agent: str = Field(description="The agent's name; GET /agents lists them.")
    arguments: dict[str, Any] = Field(
        default_factory=dict, description="What the agent's own schema asks for."
    )
    idempotency_key: _Name | None = Field(
        default=None,
        min_length=1,
        max_length=255,
        description="A repeat with the same key returns the first task.",
    )
    delay: Annotated[int, BeforeValidator(_whole)] = Field(
        default=0, ge=0, le=SLEEP_LIMIT_S, description="Seconds before a worker may see it."
    )
    ordering_key: _MessageGroup | None = Field(
        default=None, description="Tasks of one key run in order, where the agent is ordered."
    )
    session_id: _MessageGroup | None = Field(
        default=None, description="The conversation it belongs to."
    )
    tags: _Tags = Field(default_factory=dict, description="What GET /tasks finds it by (tag=).")
    notify: list[_Target] = Field(
        default_factory=list,
        max_length=MOST_TARGETS,
        description="Who is told of its end: targets that the stage names.",
    )


class Answers(RootModel[dict[str, Any]]):
    """Answers by the keys of the questions."""

    root: dict[str, Any] = Field(min_length=1)


class Signal(BaseModel):
    """A value for a task that runs or waits."""

    model_config = ConfigDict(extra="forbid", strict=True)

    topic: _Topic = Field(min_length=1, description="What the task's agent receives.")
    value: Any = Field(description="JSON of up to 32 KB.")
    idempotency_key: _Name | None = Field(
        default=None,
        min_length=1,
        max_length=255,
        description="A repeat with the same key arrives once.",
    )


class Event(RootModel[dict[str, Any]]):
    """An event's payload: the arguments of every agent that subscribes to the topic."""


class OneTask(BaseModel):
    """How to look at one task."""

    model_config = ConfigDict(extra="forbid")

    wait: float = Field(
        default=0,
        ge=0,
        le=LONGEST_WAIT_S,
        allow_inf_nan=False,
        description="Seconds to wait for the task's end, or for a question it asks.",
    )


class Listing(BaseModel):
    """Which tasks to list, the newest first."""

    model_config = ConfigDict(extra="forbid")

    status: Status | Literal["parked"] | None = Field(
        default=None, description="Only tasks that stand so; `parked` ones wait for code that fits."
    )
    agent: str | None = Field(default=None, description="Only tasks of this agent.")
    since: _Ago | _Moment | None = Field(
        default=None,
        description="Only what moved since then: 15m, 1h, 7d ago, or a time (ISO 8601).",
    )
    until: _Ago | _Moment | None = Field(
        default=None, description="Only what moved up to then; as since."
    )
    error_type: str | None = Field(
        default=None, description="Only tasks that failed with this type of error."
    )
    tag: list[_Pair] = Field(
        default_factory=list,
        max_length=MOST_TAGS,
        description="name=value: only tasks with this tag; may be given several times.",
    )
    cursor: str | None = Field(
        default=None, description="The cursor of the page before, with the same filters."
    )
    limit: int = Field(default=50, ge=1, le=MOST_LISTED, description="How many at most.")

    @property
    def where(self) -> dict[str, str]:
        """Return the tags that are asked for."""
        return dict(pair.split("=", 1) for pair in self.tag)


class Publishing(BaseModel):
    """How to publish an event."""

    model_config = ConfigDict(extra="forbid")

    type: _Name | None = Field(
        default=None,
        min_length=1,
        max_length=256,
        description="The event's type: subscribers may filter on it.",
    )


class _Answer(BaseModel):
    model_config = ConfigDict(alias_generator=to_camel)


class Task(_Answer):
    """One task as it stands: MCP's task fields first, then the swarm's own."""

    task_id: str
    agent: str
    status: Status
    status_message: str = ""
    progress: float = 0
    created_at: str = Field(description="ISO 8601, UTC")
    last_updated_at: str = Field(description="ISO 8601, UTC")
    attempt: int = Field(description="Attempts so far; 0 before the first.")
    durability: Durability
    principal: str
    parent: str = ""
    topic: str = ""
    session_id: str = ""
    ordering_key: str = ""
    tags: dict[str, str] = Field(default_factory=dict)
    notify: list[str] = Field(default_factory=list)
    deadline: str = ""
    redriven_from: str = ""
    redriven_as: str = ""
    published_by: str = Field(
        default="", description="AGENT#TASK: the task whose result this one was started by."
    )
    wake_at: str = ""
    pending_children: int = 0
    input_requests: dict[str, Any] = Field(
        default_factory=dict, description="Open questions by key, as MCP elicitation requests."
    )
    receives: list[str] = Field(
        default_factory=list, description="Topics that it waits to be sent something under."
    )
    state: Any = Field(default=None, description="What its agent exposed last.")
    error: dict[str, Any] = Field(
        default_factory=dict, description="JSON-RPC error of a failed task."
    )
    result: dict[str, Any] = Field(
        default_factory=dict, description="MCP CallToolResult of a completed task."
    )


class Tasks(_Answer):
    """A page of tasks, the newest first."""

    tasks: list[Task]
    cursor: str = Field(default="", description="Where the listing goes on; absent at its end.")
    total: int = Field(default=0, description="How many there are, where that is known.")
    looked_back_to: str = Field(
        default="", description="How far back this page looked, where the listing goes on."
    )


class Started(_Answer):
    """A task that an event has started."""

    task_id: str
    agent: str


class Published(_Answer):
    """An event's tasks, one of each subscribed agent."""

    tasks: list[Started]


class Agent(_Answer):
    """One agent: its MCP tool definition and what the swarm adds."""

    name: str
    title: str
    description: str
    input_schema: dict[str, Any]
    output_schema: dict[str, Any] = Field(default_factory=dict)
    durability: Durability
    ordered: bool
    topics: list[dict[str, Any]]


class Agents(_Answer):
    """The deployed agents in the order of their names."""

    agents: list[Agent]


class Misfit(BaseModel):
    """One place of a request that is wrong."""

    at: str
    message: str


class Problem(BaseModel):
    """Why a request was refused (RFC 9457)."""

    type: str = Field(description="urn:sqswarm:problem:…, by the error's name")
    title: str
    status: int
    detail: str
    hint: str = Field(default="", description="What to do about it.")
    errors: list[Misfit] = Field(default_factory=list)
