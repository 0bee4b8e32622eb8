"""The dashboard: what agents do by the swarm's own metrics, then queues, functions and money."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from troposphere import Sub, cloudwatch

from sqswarm.infra.resources import Topology
from sqswarm.schemas import metrics
from sqswarm.schemas.json import dumps

_PERIOD_S = 60
_ACROSS = 3
_WIDTH, _HEIGHT = 8, 7
_LINES = 100
"""Agents that a graph has written out. A dashboard takes so many metrics; a search is one."""

_OF_TASKS = (
    ("Tasks completed", metrics.COMPLETED, "Sum"),
    ("Tasks failed", metrics.FAILED, "Sum"),
    ("Attempts that are tried again", metrics.RETRIED, "Sum"),
    ("Wait in the queue, p95 (ms)", metrics.QUEUE_WAIT, "p95"),
    ("Run of an attempt, p95 (ms)", metrics.RUN_TIME, "p95"),
    ("Time in the batch, p95 (ms)", metrics.BATCH_TIME, "p95"),
    ("Attempts lost", metrics.LOST, "Sum"),
    ("Tasks parked: the code does not fit", metrics.PARKED, "Sum"),
)
_OF_MODELS = (
    ("Tokens read by models", metrics.INPUT_TOKENS, "Sum"),
    ("Tokens written by models", metrics.OUTPUT_TOKENS, "Sum"),
    ("Spent on models (millionths of $)", metrics.MICRO_DOLLARS, "Sum"),
)


def dashboard(topology: Topology) -> cloudwatch.Dashboard:
    """Return one dashboard: a line per agent in each graph."""
    graphs = list(_graphs(topology))
    for place, graph in enumerate(graphs):
        row, column = divmod(place, _ACROSS)
        graph |= {"x": _WIDTH * column, "y": _HEIGHT * row, "width": _WIDTH, "height": _HEIGHT}
    return cloudwatch.Dashboard(
        "Dashboard",
        # Dashboards are global: the region keeps two stages of one name apart.
        DashboardName=Sub(f"{topology.names.stack}-${{AWS::Region}}"),
        DashboardBody=Sub(dumps({"widgets": graphs})),
    )


def _graphs(topology: Topology) -> Iterator[dict[str, Any]]:
    if topology.metrics:
        yield from _graphs_of_tasks(topology)
    queues = [(one.key, one.queue.name) for one in topology.consumers]
    letters = [(one.key, one.dead_letters.name) for one in topology.consumers]
    functions = [(one.key, one.function.name) for one in topology.on_lambda]
    depth = "ApproximateNumberOfMessagesVisible"
    yield _graph("Tasks waiting", _sqs(depth, queues))
    yield _graph("Age of the oldest task (s)", _sqs("ApproximateAgeOfOldestMessage", queues))
    yield _graph("Dead letters", _sqs(depth, letters))
    yield _graph("Errors of functions", _lambda("Errors", "Sum", functions))
    yield _graph("Workers at a time", _lambda("ConcurrentExecutions", "Maximum", functions))
    if topology.metrics:
        for title, metric, stat in _OF_MODELS:
            yield _graph(title, _counted(topology, metric, stat))


def _graphs_of_tasks(topology: Topology) -> Iterator[dict[str, Any]]:
    for title, metric, stat in _OF_TASKS:
        yield _graph(title, _counted(topology, metric, stat))
        if metric == metrics.FAILED:
            yield _graph("Tasks failed, by type", [[_failures(topology.names.stage)]])


def _counted(topology: Topology, metric: str, stat: str) -> list[list[Any]]:
    if len(topology.agents) > _LINES:
        return [[_search(topology.names.stage, f'MetricName="{metric}"', stat)]]
    stage = (metrics.STAGE, topology.names.stage)
    return [
        [metrics.NAMESPACE, metric, *stage, metrics.AGENT, agent, {"label": agent, "stat": stat}]
        for agent in (one.key for one in topology.agents)
    ]


def _failures(stage: str) -> dict[str, str]:
    """Return a line for each type of error of each agent: nobody knows them beforehand."""
    return _search(stage, metrics.FAILED_BY_TYPE, "Sum")


def _search(stage: str, terms: str, stat: str) -> dict[str, str]:
    """Return a line for each of our metrics with such terms; without a label it names its agent.

    Source: CloudWatch, "Search expression syntax": a term without quotes is a part of a name.
    """
    schema = f"{metrics.NAMESPACE},{metrics.AGENT},{metrics.STAGE}"
    found = f'{{{schema}}} {metrics.STAGE}="{stage}" {terms}'
    return {"expression": f"SEARCH('{found}', '{stat}', {_PERIOD_S})", "label": ""}


def _sqs(metric: str, queues: Iterable[tuple[str, str]]) -> list[list[Any]]:
    return [
        ["AWS/SQS", metric, "QueueName", queue, {"label": key, "stat": "Maximum"}]
        for key, queue in queues
    ]


def _lambda(metric: str, stat: str, functions: Iterable[tuple[str, str]]) -> list[list[Any]]:
    return [
        ["AWS/Lambda", metric, "FunctionName", function, {"label": key, "stat": stat}]
        for key, function in functions
    ]


def _graph(title: str, lines: list[list[Any]]) -> dict[str, Any]:
    return {
        "type": "metric",
        "properties": {
            "title": title,
            "region": "${AWS::Region}",
            "view": "timeSeries",
            "period": _PERIOD_S,
            "metrics": lines,
        },
    }
