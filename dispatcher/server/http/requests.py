"""What callers send, as pydantic models: they validate requests and make the OpenAPI document."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, RootModel

from sqswarm.dispatcher.submit import SLEEP_LIMIT_S
from sqswarm.schemas.lifecycle import Status

LONGEST_WAIT_S = 20
"""A long poll has to end before the proxies in between lose patience (API Gateway: 29 s)."""

MOST_LISTED = 200

_MessageGroup = Annotated[
    str,
    # Source: SQS SendMessage, MessageGroupId: 1 to 128 letters, digits and punctuation.
    Field(pattern=r"^[!-~]{1,128}$"),
]


class NewTask(BaseModel):
    """One task for one agent."""

    model_config = ConfigDict(extra="forbid", strict=True)

    agent: str = Field(description="The agent's name; GET /agents lists them.")
    arguments: dict[str, Any] = Field(
        default_factory=dict, description="What the agent's own schema asks for."
    )
    idempotency_key: str | None = Field(
        default=None,
        min_length=1,
        max_length=255,
        description="A repeat with the same key returns the first task.",
    )
    delay: int = Field(
        default=0, ge=0, le=SLEEP_LIMIT_S, description="Seconds before a worker may see it."
    )
    ordering_key: _MessageGroup | None = Field(
        default=None, description="Tasks of one key run in order, where the agent is ordered."
    )
    session_id: _MessageGroup | None = Field(
        default=None, description="The conversation it belongs to."
    )


class Answers(RootModel[dict[str, Any]]):
    """Answers by the keys of the questions."""

    root: dict[str, Any] = Field(min_length=1)


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

    status: Status | None = Field(default=None, description="Only tasks that stand so.")
    agent: str | None = Field(default=None, description="Only tasks of this agent.")
    limit: int = Field(default=50, ge=1, le=MOST_LISTED, description="How many at most.")


class Publishing(BaseModel):
    """How to publish an event."""

    model_config = ConfigDict(extra="forbid")

    type: str | None = Field(
        default=None,
        min_length=1,
        max_length=256,
        description="The event's type: subscribers may filter on it.",
    )
