"""Usage: counted figures from which AWS bills; no prices, for those depend on the account."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated

from pydantic import Field

from sqswarm.infra.admin_mcp.context import AdminContext
from sqswarm.infra.admin_mcp.metrics import Metric, totals
from sqswarm.infra.admin_mcp.shape import Shape
from sqswarm.infra.admin_mcp.tools import OperationTool

_LAMBDA = {
    "invocations": "Invocations",
    "errors": "Errors",
    "throttles": "Throttles",
    "duration_ms": "Duration",
}
_SQS = {"messages_sent": "NumberOfMessagesSent", "messages_deleted": "NumberOfMessagesDeleted"}


class AgentUsage(Shape):
    """What one agent used. Null: CloudWatch has no value."""

    agent: str
    invocations: float | None = Field(description="Lambda calls; each handles up to a batch.")
    errors: float | None = Field(description="Lambda calls that ended in an error.")
    throttles: float | None
    duration_ms: float | None = Field(description="Run time of all calls together.")
    gb_seconds: float | None = Field(description="durationMs times the function's memory.")
    messages_sent: float | None
    messages_deleted: float | None


class Usage(Shape):
    """What the swarm used in some hours."""

    hours: int
    agents: list[AgentUsage]
    table_write_units: float | None = Field(description="DynamoDB write units of the task table.")
    table_read_units: float | None


def tools(context: AdminContext) -> Iterator[OperationTool]:
    """Yield the tools of this group."""

    def get_usage(
        hours: Annotated[int, Field(ge=1, le=24 * 14, description="How far back.")] = 24,
    ) -> Usage:
        """Show what agents used: Lambda calls, errors, run time, messages, table units.

        Counted by CloudWatch, which is some minutes behind; a null says that it has no value (an
        emulator counts little). No prices and no tokens. Changes nothing; CloudWatch bills about
        six metrics an agent.
        """
        with context.swarm() as swarm:
            entries = swarm.agents()
        names = context.names()
        metrics: dict[str, Metric] = {}
        memory: dict[str, int] = {}
        functions = context.client("lambda")
        for entry in entries:
            function = names.function(entry.name)
            memory[entry.name] = functions.get_function_configuration(FunctionName=function)[
                "MemorySize"
            ]
            for field, metric in _LAMBDA.items():
                metrics[f"{entry.name}/{field}"] = Metric(
                    namespace="AWS/Lambda", name=metric, dimension=("FunctionName", function)
                )
            queue = names.queue(entry.name, ordered=entry.ordered)
            for field, metric in _SQS.items():
                metrics[f"{entry.name}/{field}"] = Metric(
                    namespace="AWS/SQS", name=metric, dimension=("QueueName", queue)
                )
        for field, metric in (
            ("write", "ConsumedWriteCapacityUnits"),
            ("read", "ConsumedReadCapacityUnits"),
        ):
            metrics[f"/{field}"] = Metric(
                namespace="AWS/DynamoDB", name=metric, dimension=("TableName", names.table)
            )  # fmt: skip
        counted = totals(context.client("cloudwatch"), metrics, seconds=3600 * hours)
        return Usage(
            hours=hours,
            agents=[_agent(entry.name, counted, memory[entry.name]) for entry in entries],
            table_write_units=counted.get("/write"),
            table_read_units=counted.get("/read"),
        )

    yield OperationTool(name="get-usage", title="Show what agents used", function=get_usage)


def _agent(agent: str, counted: dict[str, float], memory_mb: int) -> AgentUsage:
    fields = {field: counted.get(f"{agent}/{field}") for field in (*_LAMBDA, *_SQS)}
    duration = fields["duration_ms"]
    gb_seconds = None if duration is None else round(duration / 1000 * memory_mb / 1024, 3)
    return AgentUsage.model_validate({"agent": agent, **fields, "gb_seconds": gb_seconds})
