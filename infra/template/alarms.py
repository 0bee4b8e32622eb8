"""Alarms: of the queues' own metrics, and of what workers count."""

from __future__ import annotations

from collections.abc import Iterator

from troposphere import AWSObject, cloudwatch

from sqswarm.infra.resources import Consumer, Queue, Topology
from sqswarm.infra.template.logical import camel, ref
from sqswarm.infra.template.messaging import ALARM_TOPIC
from sqswarm.schemas import metrics

_PERIOD_S = 60
_AGE_FLOOR_S = 900
_SHARE_PERIOD_S = 60
_SHARE_PERIODS = 5


def age_threshold_s(queue: Queue) -> int:
    """Return the age at which a waiting message is worth a look, seconds.

    One lost worker delays a message by a whole visibility time-out: that alone is no alarm.
    """
    return max(_AGE_FLOOR_S, 2 * queue.visibility_s)


def alarms(consumer: Consumer, topology: Topology) -> Iterator[AWSObject]:
    """Yield a consumer's alarms: something was given up, waits too long, or mostly goes wrong."""
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
    if consumer.spec is not None and topology.metrics:
        yield _attempts_alarm(f"{stem}AttemptsAlarm", consumer.key, topology.names.stage)


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


def _attempts_alarm(title: str, agent: str, stage: str) -> cloudwatch.Alarm:
    """Return the alarm of an agent most of whose attempts fail.

    What they need is down, or the new code is wrong: it tells so while there are attempts left,
    before the first dead letter. No queue's metric does.
    """
    return cloudwatch.Alarm(
        title,
        AlarmDescription=f"Most attempts of {agent} fail: see `sqswarm stats {agent}`",
        Namespace=metrics.NAMESPACE,
        MetricName=metrics.FAILURE_RATE,
        Dimensions=[
            cloudwatch.MetricDimension(Name=metrics.STAGE, Value=stage),
            cloudwatch.MetricDimension(Name=metrics.AGENT, Value=agent),
        ],
        Statistic="Average",
        Period=_SHARE_PERIOD_S,
        # One attempt that fails alone is soon followed by none, or by a better one.
        EvaluationPeriods=_SHARE_PERIODS,
        Threshold=50,
        ComparisonOperator="GreaterThanOrEqualToThreshold",
        TreatMissingData="notBreaching",
        AlarmActions=[ref(ALARM_TOPIC)],
        OKActions=[ref(ALARM_TOPIC)],
    )
