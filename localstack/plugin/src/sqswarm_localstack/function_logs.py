"""Write the functions' output to CloudWatch Logs in batches.

Stock LocalStack makes one API call to itself per invocation. This collects for a moment, and
keeps the time at which each invocation ended.
"""

import contextlib
import logging
import time
from collections import defaultdict
from queue import Empty
from typing import Any

from localstack.aws.connect import connect_to
from localstack.services.lambda_.invocation.logs import QUEUE_SHUTDOWN, LogHandler, LogItem
from localstack.utils.aws.client_types import ServicePrincipal
from localstack.utils.bootstrap import is_api_enabled

LOG = logging.getLogger(__name__)

_COLLECT_S = 0.25
_MAX_EVENTS_PER_CALL = 1000

Events = dict[tuple[str, str], list[dict[str, Any]]]


def _add_logs(self: LogHandler, item: LogItem) -> None:
    if is_api_enabled("logs"):
        self.log_queue.put((int(time.time() * 1000), item))


def _run_log_loop(self: LogHandler, *_args: Any, **_kwargs: Any) -> None:
    client = connect_to.with_assumed_role(
        region_name=self.region,
        role_arn=self.role_arn,
        service_principal=ServicePrincipal.lambda_,
    ).logs
    running = True
    while running:
        first = self.log_queue.get()
        time.sleep(_COLLECT_S if first is not QUEUE_SHUTDOWN else 0)
        entries = [first]
        with contextlib.suppress(Empty):
            while True:
                entries.append(self.log_queue.get_nowait())
        running = QUEUE_SHUTDOWN not in entries
        for (group, stream), events in _by_stream(entries).items():
            try:
                _write(client, group, stream, events)
            except Exception:
                # The function ran all the same; its log group may just have been deleted.
                LOG.info("logs of %s could not be written", group, exc_info=True)


def _by_stream(entries: list[Any]) -> Events:
    events: Events = defaultdict(list)
    for entry in entries:
        if entry is QUEUE_SHUTDOWN:
            continue
        timestamp, item = entry
        lines = [line for line in item.logs.split("\n") if line]
        events[item.log_group, item.log_stream] += [
            {"timestamp": timestamp, "message": line + "\n"} for line in lines
        ]
    return events


def _write(client: Any, group: str, stream: str, events: list[dict[str, Any]]) -> None:
    for start in range(0, len(events), _MAX_EVENTS_PER_CALL):
        chunk = events[start : start + _MAX_EVENTS_PER_CALL]
        put = {"logGroupName": group, "logStreamName": stream, "logEvents": chunk}
        try:
            client.put_log_events(**put)
        except client.exceptions.ResourceNotFoundException:
            with contextlib.suppress(client.exceptions.ResourceAlreadyExistsException):
                client.create_log_group(logGroupName=group)
            with contextlib.suppress(client.exceptions.ResourceAlreadyExistsException):
                client.create_log_stream(logGroupName=group, logStreamName=stream)
            client.put_log_events(**put)


def batch_function_logs() -> None:
    """Write the functions' logs in batches."""
    LogHandler.add_logs = _add_logs
    LogHandler.run_log_loop = _run_log_loop
