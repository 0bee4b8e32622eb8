"""Stats: how agents do, as `sqswarm stats` shows it."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from sqswarm.infra.admin_mcp.context import AdminContext
from sqswarm.infra.admin_mcp.shape import Shape
from sqswarm.infra.admin_mcp.tools import OperationTool


class Times(Shape):
    """Half of some times are at most p50, 19 of 20 at most p95."""

    p50_ms: int
    p95_ms: int


class Backlog(Shape):
    """What lies in the queues now. The counts are SQS's own, which are approximate."""

    waiting: int
    in_flight: int
    delayed: int
    oldest_seconds: int | None = Field(description="Null: there is none, or nobody knows.")
    dead_letters: int


class Spent(Shape):
    """What models cost."""

    calls: int
    input_tokens: int
    output_tokens: int
    usd: float


class AgentStats(Shape):
    """One agent's numbers, or the stage's."""

    agent: str
    seconds: float = Field(description="How far back they go: less than asked for if too much.")
    started: int = Field(description="Attempts begun.")
    completed: int
    failed: int
    retried: int
    per_second: float = Field(description="Tasks ended in a second, on average.")
    failures: dict[str, int] = Field(description="Failed tasks by error type.")
    wait: Times | None = Field(description="From a message's sending to its attempt.")
    run: Times | None = Field(description="The attempts that ended tasks.")
    backlog: Backlog
    spent: Spent


class StageStats(Shape):
    """A stage's numbers: each agent's, and all together."""

    stage: str
    at_ms: int
    since_seconds: float
    agents: list[AgentStats]
    total: AgentStats


def tools(context: AdminContext) -> Iterator[OperationTool]:
    """Yield the tools of this group."""

    def get_stats(
        agent: Annotated[str | None, Field(description="One agent; else all.")] = None,
        minutes: Annotated[int, Field(ge=1, le=24 * 60, description="How far back.")] = 60,
    ) -> StageStats:
        """Show how agents do: rates, waits, run times, backlog, failures by type, cost.

        Use it first where something is slow or fails: it tells which agent, since when and by what
        errors. Changes nothing; reads what the swarm recorded of itself, some requests an agent,
        and CloudWatch once.
        """
        with context.swarm() as swarm:
            seen = swarm.stats(since_s=60 * minutes, agent=agent)
        return StageStats.model_validate(seen.to_json())

    yield OperationTool(name="get-stats", title="Show how agents do", function=get_stats)
