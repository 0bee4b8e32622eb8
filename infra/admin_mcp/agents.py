"""Agents: what is deployed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from pydantic import Field

from sqswarm.infra.admin_mcp.context import AdminContext
from sqswarm.infra.admin_mcp.shape import Shape
from sqswarm.infra.admin_mcp.tools import OperationTool


class Agent(Shape):
    """One deployed agent."""

    name: str
    description: str
    input_schema: dict[str, Any] = Field(description="JSON schema of submit-task's arguments.")
    topics: list[str] = Field(description="Event topics it listens to.")
    publishes: str | None = Field(description="The topic on which its results are events.")
    durability: str = Field(description="lean, standard or durable.")
    ordered: bool = Field(description="Whether it runs tasks of one ordering key in order.")


class Agents(Shape):
    """The deployed agents."""

    stage: str
    endpoint: str
    agents: list[Agent]


def tools(context: AdminContext) -> Iterator[OperationTool]:
    """Yield the tools of this group."""

    def list_agents() -> Agents:
        """List the swarm's deployed agents with their argument schemas.

        Use it first: other tools take an agent's name from here, and submit-task its arguments.
        Changes nothing; reads one S3 object.
        """
        with context.swarm() as swarm:
            entries = swarm.agents()
        return Agents(
            stage=context.settings.stage,
            endpoint=context.where,
            agents=[
                Agent(
                    name=entry.name,
                    description=entry.description,
                    input_schema=entry.input_schema,
                    topics=[subscription.topic for subscription in entry.subscriptions],
                    publishes=entry.publishes,
                    durability=entry.durability.value,
                    ordered=entry.ordered,
                )
                for entry in entries
            ],
        )

    yield OperationTool(name="list-agents", title="List agents", function=list_agents)
