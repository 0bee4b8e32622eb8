"""Publish LocalStack's own SQS and Lambda metrics once a second instead of one by one.

Stock LocalStack calls its own gateway for every single value, twice per message sent, each call
with a thread and a SQLite transaction: more work than the message itself. Alarms need the values,
not the calls.

The age of a queue's oldest message, which LocalStack does not publish, is published beside its
other minutely values.
"""

import logging
import threading
import time
from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from localstack.aws.connect import connect_to
from localstack.services.lambda_.invocation import version_manager
from localstack.services.sqs.models import FifoQueue, SqsQueue, sqs_stores
from localstack.services.sqs.provider import CloudwatchDispatcher, CloudwatchPublishWorker
from localstack.utils.bootstrap import is_api_enabled

LOG = logging.getLogger(__name__)

_FLUSH_EVERY_S = 1.0
_MAX_DATA_PER_CALL = 500


@dataclass(frozen=True, kw_only=True)
class Series:
    """One metric of one resource."""

    account_id: str
    region: str
    namespace: str
    metric: str
    dimension: tuple[str, str]
    unit: str


class MetricBuffer:
    """Collects values and publishes them together, each distinct value with its count."""

    def __init__(self) -> None:
        """Start empty; the publishing thread starts with the first value."""
        self._lock = threading.Lock()
        self._counts: dict[Series, dict[float, int]] = {}
        self._thread: threading.Thread | None = None

    def add(self, series: Series, value: float) -> None:
        """Remember one value; it is in CloudWatch a second later."""
        with self._lock:
            counts = self._counts.setdefault(series, defaultdict(int))
            counts[value] += 1
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name="sqswarm-metrics", daemon=True
                )
                self._thread.start()

    def forget(self) -> None:
        """Drop what was not published, as when the state is reset."""
        with self._lock:
            self._counts = {}

    def _run(self) -> None:
        while True:
            time.sleep(_FLUSH_EVERY_S)
            with self._lock:
                counts, self._counts = self._counts, {}
            try:
                _publish(counts)
            except Exception:
                LOG.info("metrics could not be published", exc_info=True)


def _publish(counts: dict[Series, dict[float, int]]) -> None:
    now = datetime.now(UTC)
    calls: dict[tuple[str, str, str], list[dict[str, Any]]] = defaultdict(list)
    for series, values in counts.items():
        name, value = series.dimension
        calls[series.account_id, series.region, series.namespace].append(
            {
                "MetricName": series.metric,
                "Dimensions": [{"Name": name, "Value": value}],
                "Unit": series.unit,
                "Timestamp": now,
                "Values": list(values),
                "Counts": [float(count) for count in values.values()],
            }
        )
    for (account_id, region, namespace), data in calls.items():
        client = connect_to(aws_access_key_id=account_id, region_name=region).cloudwatch
        for start in range(0, len(data), _MAX_DATA_PER_CALL):
            chunk = data[start : start + _MAX_DATA_PER_CALL]
            client.put_metric_data(Namespace=namespace, MetricData=chunk)


BUFFER = MetricBuffer()


def _dispatch_sqs_metric(  # noqa: PLR0917 - the signature of what it replaces
    self: CloudwatchDispatcher,
    account_id: str,
    region: str,
    queue_name: str,
    metric: str,
    value: float = 1,
    unit: str = "Count",
) -> None:
    if self.running:
        series = Series(
            account_id=account_id,
            region=region,
            namespace="AWS/SQS",
            metric=metric,
            dimension=("QueueName", queue_name),
            unit=unit,
        )
        BUFFER.add(series, value)


def oldest_s(queue: SqsQueue) -> float:
    """Return the age of a queue's oldest message in seconds; 0 where it has none."""
    with queue.mutex:
        if isinstance(queue, FifoQueue):
            waiting = [one for group in queue.message_groups.values() for one in group.messages]
        else:
            waiting = list(queue.visible.queue)
        messages = [*waiting, *queue.inflight, *queue.delayed]
    created = [message.created for message in messages if not message.deleted]
    return max(0.0, time.time() - min(created)) if created else 0.0


def _publish_ages() -> None:
    for account_id, region, store in sqs_stores.iter_stores():
        for queue in list(store.queues.values()):
            series = Series(
                account_id=account_id,
                region=region,
                namespace="AWS/SQS",
                metric="ApproximateAgeOfOldestMessage",
                dimension=("QueueName", queue.name),
                unit="Seconds",
            )
            BUFFER.add(series, float(int(oldest_s(queue))))


def _record_lambda(metric: str, function_name: str, account_id: str, region_name: str) -> None:
    series = Series(
        account_id=account_id,
        region=region_name,
        namespace="AWS/Lambda",
        metric=metric,
        dimension=("FunctionName", function_name),
        unit="Count",
    )
    BUFFER.add(series, 1)


def _record_invocation(**where: str) -> None:
    _record_lambda("Invocations", **where)


def _record_error(**where: str) -> None:
    _record_lambda("Invocations", **where)
    _record_lambda("Errors", **where)


def buffer_metrics() -> None:
    """Send SQS and Lambda metrics through the buffer."""
    if not is_api_enabled("cloudwatch"):
        return
    CloudwatchDispatcher.dispatch_sqs_metric = _dispatch_sqs_metric
    version_manager.record_cw_metric_invocation = _record_invocation
    version_manager.record_cw_metric_error = _record_error
    stock_publish = CloudwatchPublishWorker.publish_approximate_cloudwatch_metrics

    def publish(self: CloudwatchPublishWorker) -> None:
        stock_publish(self)
        _publish_ages()

    CloudwatchPublishWorker.publish_approximate_cloudwatch_metrics = publish
    stock_start_thread = version_manager.start_thread

    def start_thread(method: Any, *args: Any, name: str = "", **kwargs: Any) -> Any:
        # A thread per invocation, only to count it, is no longer worth its while.
        if name.startswith("record-cloudwatch-metric"):
            return method()
        return stock_start_thread(method, *args, name=name, **kwargs)

    version_manager.start_thread = start_thread
