"""Alarms and the dashboard."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from troposphere import AWSObject, Sub, cloudwatch

from sqswarm.infra.resources import Consumer, Queue, Topology
from sqswarm.infra.template.logical import camel, ref
from sqswarm.infra.template.messaging import ALARM_TOPIC
from sqswarm.schemas.json import dumps

_PERIOD_S = 60
_AGE_FLOOR_S = 900


def age_threshold_s(queue: Queue) -> int:
    """Return the age at which a waiting message is worth a look, seconds.

    One lost worker delays a message by a whole visibility time-out: that alone is no alarm.
    """
    return max(_AGE_FLOOR_S, 2 * queue.visibility_s)


def alarms(consumer: Consumer) -> Iterator[AWSObject]:
    """Yield a consumer's two alarms: something was given up, something waits too long."""
    stem = camel(consumer.key)
    yield _alarm(
        f"{stem}DeadLettersAlarm",
        consumer.dead_letters,
        metric="ApproximateNumberOfMessagesVisible",
        threshold=1,
        description=f"Dead letters of {consumer.key}: see `sqswarm dlq {consumer.key}`",
    )
    yield _alarm(
        f"{stem}AgeAlarm",
        consumer.queue,
        metric="ApproximateAgeOfOldestMessage",
        threshold=age_threshold_s(consumer.queue),
        description=f"Tasks of {consumer.key} wait too long: raise its concurrency?",
    )


def _alarm(
    title: str, queue: Queue, *, metric: str, threshold: int, description: str
) -> cloudwatch.Alarm:
    return cloudwatch.Alarm(
        title,
        AlarmDescription=description,
        Namespace="AWS/SQS",
        MetricName=metric,
        Dimensions=[cloudwatch.MetricDimension(Name="QueueName", Value=queue.name)],
        Statistic="Maximum",
        Period=_PERIOD_S,
        EvaluationPeriods=1,
        Threshold=threshold,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        # A queue that nobody used for six hours reports nothing: that is no alarm.
        TreatMissingData="notBreaching",
        AlarmActions=[ref(ALARM_TOPIC)],
        OKActions=[ref(ALARM_TOPIC)],
    )


def dashboard(topology: Topology) -> cloudwatch.Dashboard:
    """Return one dashboard: a line per agent in each of six graphs."""
    queues = [(s.key, s.queue.name, s.dead_letters.name) for s in topology.consumers]
    functions = [(s.key, s.function.name) for s in topology.on_lambda]
    graphs = [
        _graph("Tasks waiting", [
            ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", queue, key, "Maximum")
            for key, queue, _ in queues
        ]),
        _graph("Age of the oldest task (s)", [
            ("AWS/SQS", "ApproximateAgeOfOldestMessage", "QueueName", queue, key, "Maximum")
            for key, queue, _ in queues
        ]),
        _graph("Dead letters", [
            ("AWS/SQS", "ApproximateNumberOfMessagesVisible", "QueueName", letters, key, "Maximum")
            for key, _, letters in queues
        ]),
        _graph("Errors of functions", [
            ("AWS/Lambda", "Errors", "FunctionName", function, key, "Sum")
            for key, function in functions
        ]),
        _graph("Duration of a batch, p95 (ms)", [
            ("AWS/Lambda", "Duration", "FunctionName", function, key, "p95")
            for key, function in functions
        ]),
        _graph("Workers at a time", [
            ("AWS/Lambda", "ConcurrentExecutions", "FunctionName", function, key, "Maximum")
            for key, function in functions
        ]),
    ]  # fmt: skip
    for place, graph in enumerate(graphs):
        graph |= {"x": 8 * (place % 3), "y": 7 * (place // 3), "width": 8, "height": 7}
    return cloudwatch.Dashboard(
        "Dashboard",
        # Dashboards are global: the region keeps two stages of one name apart.
        DashboardName=Sub(f"{topology.names.stack}-${{AWS::Region}}"),
        DashboardBody=Sub(dumps({"widgets": graphs})),
    )


def _graph(title: str, lines: list[tuple[str, str, str, str, str, str]]) -> dict[str, Any]:
    return {
        "type": "metric",
        "properties": {
            "title": title,
            "region": "${AWS::Region}",
            "view": "timeSeries",
            "period": _PERIOD_S,
            "metrics": [
                [namespace, metric, dimension, name, {"label": label, "stat": stat}]
                for namespace, metric, dimension, name, label, stat in lines
            ],
        },
    }
