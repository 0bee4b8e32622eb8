"""Queues: how much waits for each agent, and for how long."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import Field

from sqswarm.infra.admin_mcp.context import AdminContext
from sqswarm.infra.admin_mcp.metrics import Metric, latest
from sqswarm.infra.admin_mcp.shape import Shape
from sqswarm.infra.admin_mcp.tools import OperationTool
from sqswarm.schemas.catalogue import Catalogue, CatalogueEntry
from sqswarm.schemas.naming import UNROUTED

_RECENT_S = 900


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


_COUNTS = {
    "waiting": "ApproximateNumberOfMessages",
    "in_flight": "ApproximateNumberOfMessagesNotVisible",
    "delayed": "ApproximateNumberOfMessagesDelayed",
}


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
        workers fail or are throttled. Changes nothing; two SQS requests an agent (four counting
        the addresses) and one CloudWatch request.
        """
        with context.swarm() as swarm:
            entries = {entry.name: entry for entry in swarm.agents()}
        wanted = _wanted(entries, agent)
        names = context.names()
        sqs = context.client("sqs")
        found: list[dict[str, Any]] = []
        queue_names = {}
        for name, ordered in wanted.items():
            queue_names[name] = names.queue(name, ordered=ordered)
            counts = _counts(sqs, queue_names[name])
            dead = _counts(sqs, names.dead_letter_queue(name, ordered=ordered))
            found.append({"agent": name, **counts, "dead_letters": sum(dead.values())})
        ages = latest(
            context.client("cloudwatch"),
            {
                name: Metric(
                    namespace="AWS/SQS",
                    name="ApproximateAgeOfOldestMessage",
                    dimension=("QueueName", queue),
                    statistic="Maximum",
                )
                for name, queue in queue_names.items()
            },
            seconds=_RECENT_S,
        )
        return Queues(
            queues=[
                Queue.model_validate({**queue, "oldest_seconds": ages.get(queue["agent"])})
                for queue in found
            ]
        )

    yield OperationTool(name="list-queues", title="Show queues", function=list_queues)


def _wanted(entries: dict[str, CatalogueEntry], agent: str | None) -> dict[str, bool]:
    """Return the agents to show, and whether each is ordered; raises UnknownAgent."""
    if agent == UNROUTED:
        return {UNROUTED: False}
    if agent is not None:
        return {agent: Catalogue(agents=entries).agent(agent).ordered}
    return {**{name: entry.ordered for name, entry in entries.items()}, UNROUTED: False}


def _counts(sqs: Any, queue: str) -> dict[str, int]:
    url = sqs.get_queue_url(QueueName=queue)["QueueUrl"]
    counts = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=[*_COUNTS.values()])[
        "Attributes"
    ]
    return {name: int(counts.get(attribute, 0)) for name, attribute in _COUNTS.items()}
