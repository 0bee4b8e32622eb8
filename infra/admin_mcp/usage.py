"""Usage: counted figures from which AWS bills; no prices, for those depend on the account.

Where CloudWatch has no value none is made up.
"""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import Field

from sqswarm.infra.admin_mcp.context import AdminContext
from sqswarm.infra.admin_mcp.shape import Shape
from sqswarm.infra.admin_mcp.tools import OperationTool

_LAMBDA = {
    "invocations": "Invocations",
    "errors": "Errors",
    "throttles": "Throttles",
    "duration_ms": "Duration",
}
_SQS = {"messages_sent": "NumberOfMessagesSent", "messages_deleted": "NumberOfMessagesDeleted"}

_A_CALL = 500
"""Source: CloudWatch API, GetMetricData: up to 500 queries."""

_PERIOD_S = 60
_POINTS_LIMIT = 1000


@dataclass(frozen=True, kw_only=True)
class _Metric:
    """One metric of one resource."""

    namespace: str
    name: str
    dimension: tuple[str, str]


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
        metrics: dict[str, _Metric] = {}
        memory: dict[str, int] = {}
        functions = context.client("lambda")
        for entry in entries:
            function = names.function(entry.name)
            memory[entry.name] = functions.get_function_configuration(FunctionName=function)[
                "MemorySize"
            ]
            for field, metric in _LAMBDA.items():
                metrics[f"{entry.name}/{field}"] = _Metric(
                    namespace="AWS/Lambda", name=metric, dimension=("FunctionName", function)
                )
            queue = names.queue(entry.name, ordered=entry.ordered)
            for field, metric in _SQS.items():
                metrics[f"{entry.name}/{field}"] = _Metric(
                    namespace="AWS/SQS", name=metric, dimension=("QueueName", queue)
                )
        for field, metric in (
            ("write", "ConsumedWriteCapacityUnits"),
            ("read", "ConsumedReadCapacityUnits"),
        ):
            metrics[f"/{field}"] = _Metric(
                namespace="AWS/DynamoDB", name=metric, dimension=("TableName", names.table)
            )  # fmt: skip
        counted = _totals(context.client("cloudwatch"), metrics, seconds=3600 * hours)
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


def _totals(client: Any, metrics: Mapping[str, _Metric], *, seconds: int) -> dict[str, float]:
    """Return each metric's sum over the last `seconds`, by key, where it has one."""
    return {
        key: sum(values)
        for key, values in _values(client, metrics, seconds=seconds).items()
        if values
    }


def _values(client: Any, metrics: Mapping[str, _Metric], *, seconds: int) -> dict[str, list[float]]:
    end = time.time()
    # Whole minutes, and few enough of them for one answer.
    period = _PERIOD_S * max(1, -(-seconds // (_PERIOD_S * _POINTS_LIMIT)))
    keys = list(metrics)
    found: dict[str, list[float]] = {}
    for first in range(0, len(keys), _A_CALL):
        part = keys[first : first + _A_CALL]
        pages = client.get_paginator("get_metric_data").paginate(
            MetricDataQueries=[
                {"Id": f"m{number}", "MetricStat": _stat(metrics[key], period), "ReturnData": True}
                for number, key in enumerate(part)
            ],
            StartTime=datetime.fromtimestamp(end - seconds, UTC),
            EndTime=datetime.fromtimestamp(end + _PERIOD_S, UTC),
            ScanBy="TimestampDescending",
        )
        for page in pages:
            for result in page["MetricDataResults"]:
                key = part[int(result["Id"][1:])]
                found.setdefault(key, []).extend(result["Values"])
    return found


def _stat(metric: _Metric, period: int) -> dict[str, Any]:
    name, value = metric.dimension
    return {
        "Metric": {
            "Namespace": metric.namespace,
            "MetricName": metric.name,
            "Dimensions": [{"Name": name, "Value": value}],
        },
        "Period": period,
        "Stat": "Sum",
    }
