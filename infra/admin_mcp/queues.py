"""Queues: how much waits for each agent, and for how long."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from sqswarm.backends.runner import run_straight
from sqswarm.dispatcher.stats import backlogs
from sqswarm.infra.admin_mcp.context import AdminContext
from sqswarm.infra.admin_mcp.shape import Shape
from sqswarm.infra.admin_mcp.tools import OperationTool
from sqswarm.schemas.catalogue import Catalogue
from sqswarm.schemas.naming import UNROUTED


class Queue(Shape):
    """One agent's queue and its dead-letter queue. Counts are SQS's own, which are approximate."""

    agent: str
    waiting: int = Field(description="Messages a worker could take now.")
    in_flight: int = Field(description="Messages a worker has taken and not yet deleted.")
    delayed: int = Field(description="Messages held back until their time.")
    oldest_seconds: int | None = Field(
        description="Age of the oldest waiting message (CloudWatch, up to some minutes old); "
        "null where CloudWatch has no value."
    )
    dead_letters: int = Field(description="Given up: see list-dead-letters.")


class Queues(Shape):
    """The queues of one or all agents."""

    queues: list[Queue]


def tools(context: AdminContext) -> Iterator[OperationTool]:
    """Yield the tools of this group."""

    def list_queues(
        agent: Annotated[
            str | None,
            Field(description="One agent, or `unrouted` (tasks for no deployed agent); else all."),
        ] = None,
    ) -> Queues:
        """Show each agent's queue: waiting, in flight, delayed, oldest message, dead letters.

        Use it first where tasks seem slow or lost: much waiting with little in flight means that
        workers fail or are throttled. Changes nothing; two SQS requests an agent and one
        CloudWatch request.
        """
        with context.connection() as connection:
            wanted = _wanted(connection.catalogue, agent)
            found = run_straight(backlogs(connection, wanted))
        return Queues(
            queues=[
                Queue.model_validate(
                    {
                        "agent": name,
                        "waiting": one.waiting,
                        "in_flight": one.in_flight,
                        "delayed": one.delayed,
                        "oldest_seconds": one.oldest_s,
                        "dead_letters": one.dead_letters,
                    }
                )
                for name, one in found.items()
            ]
        )

    yield OperationTool(name="list-queues", title="Show queues", function=list_queues)


def _wanted(catalogue: Catalogue, agent: str | None) -> dict[str, bool]:
    """Return the agents to show, and whether each is ordered; raises UnknownAgent."""
    if agent == UNROUTED:
        return {UNROUTED: False}
    if agent is not None:
        return {agent: catalogue.agent(agent).ordered}
    return {**{one.name: one.ordered for one in catalogue.agents.values()}, UNROUTED: False}
