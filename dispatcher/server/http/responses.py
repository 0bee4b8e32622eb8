"""What callers get, as pydantic models for the OpenAPI document.

The answers themselves are the swarm's own JSON (`TaskView.to_json` and others); the tests hold
every answer against these models.
"""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict, Field
from pydantic.alias_generators import to_camel

from sqswarm.schemas.agent_spec import Durability
from sqswarm.schemas.lifecycle import Status


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
    deadline: str = ""
    redriven_from: str = ""
    redriven_as: str = ""
    wake_at: str = ""
    pending_children: int = 0
    input_requests: dict[str, Any] = Field(
        default_factory=dict, description="Open questions by key, as MCP elicitation requests."
    )
    error: dict[str, Any] = Field(
        default_factory=dict, description="JSON-RPC error of a failed task."
    )
    result: dict[str, Any] = Field(
        default_factory=dict, description="MCP CallToolResult of a completed task."
    )


class Tasks(_Answer):
    """A list of tasks, the newest first."""

    tasks: list[Task]


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
