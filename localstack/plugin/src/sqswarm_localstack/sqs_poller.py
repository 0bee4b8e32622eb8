"""Poll an SQS event source as Lambda does.

LocalStack's own poller handles one batch at a time whatever MaximumConcurrency says, ignores the
batching window for batches of up to ten, and parses and writes anew every body that is JSON.
"""

import contextlib
import json
import logging
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from localstack.services.lambda_.event_source_mapping.pollers.poller import (
    EmptyPollResultsException,
    parse_batch_item_failures,
)
from localstack.services.lambda_.event_source_mapping.pollers.sqs_poller import (
    SqsPoller,
    split_by_message_group_id,
    transform_into_events,
)
from localstack.utils.aws.arns import parse_arn
from localstack.utils.json import BytesEncoder

from sqswarm_localstack.function_call import FunctionCall
from sqswarm_localstack.internal import provider, request_context

LOG = logging.getLogger(__name__)

Message = dict[str, Any]
Event = dict[str, Any]

# SQS hands out and deletes at most ten messages a call.
_SQS_BATCH = 10
# How long one receive waits, and so how late a poller sees that it shall stop.
_WAIT_S = 0.5
# After the first message, how long to wait for those published with it. Without a batching
# window Lambda promises no minimum either; ten tasks per invocation instead of two is worth it.
_LINGER_S = 0.005
# AWS polls a standard queue with five batches at once unless told otherwise.
_DEFAULT_CONCURRENCY = 5
# Lambda's limit for the payload of a synchronous invocation.
_MAX_PAYLOAD_BYTES = 6 * 1024 * 1024


class ConcurrentSqsPoller(SqsPoller):
    """Keeps up to MaximumConcurrency batches in flight, each in a thread of its own."""

    def configure(self, esm_config: Mapping[str, Any]) -> None:
        """Take over the settings that LocalStack's factory does not pass to a poller."""
        scaling = esm_config.get("ScalingConfig") or {}
        concurrency = scaling.get("MaximumConcurrency") or _DEFAULT_CONCURRENCY
        self._function = FunctionCall(esm_config["FunctionArn"])
        self._reports_failures = "ReportBatchItemFailures" in (
            esm_config.get("FunctionResponseTypes") or []
        )
        self._slots = threading.Semaphore(concurrency)
        self._pool = ThreadPoolExecutor(concurrency, thread_name_prefix="sqs-event-source")
        arn = parse_arn(self.source_arn)
        self._context = request_context("sqs", arn["account"], arn["region"])

    def _register_client_hooks(self) -> None:
        """Leave LocalStack's client alone: this poller has no use for it."""

    def poll_events(self) -> None:
        """Receive one batch and hand it to a free thread.

        Raises EmptyPollResultsException, which LocalStack's worker takes for "nothing there".
        """
        if not self._slots.acquire(timeout=_WAIT_S):
            return
        try:
            messages = self._gather()
        except BaseException:
            self._slots.release()
            raise
        if not messages:
            self._slots.release()
            raise EmptyPollResultsException(service="sqs", source_arn=self.source_arn)
        batches = self._split(messages)
        self._start(next(batches))
        for batch in batches:
            # The messages are hidden already, so these have to wait here for their turn.
            self._slots.acquire()
            self._start(batch)

    def close(self) -> None:
        """Let what is in flight finish; take nothing new."""
        self._pool.shutdown(wait=False)

    def _start(self, batch: list[Message]) -> None:
        def run() -> None:
            try:
                self._handle(batch)
            except Exception:
                # As on AWS: what was not deleted comes back after its visibility time-out.
                LOG.warning("event source %s: a batch failed", self.source_arn, exc_info=True)
            finally:
                self._slots.release()

        self._pool.submit(run)

    def _gather(self) -> list[Message]:
        """Receive until the batch is full or the batching window, from the first message, ends."""
        messages = self._receive(wait_s=_WAIT_S, limit=self.batch_size)
        if not messages:
            return []
        deadline = time.monotonic() + (self.maximum_batching_window or _LINGER_S)
        while (missing := self.batch_size - len(messages)) > 0:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                break
            messages += self._receive(wait_s=min(remaining, _WAIT_S), limit=missing)
        return messages

    def _receive(self, *, wait_s: float, limit: int) -> list[Message]:
        result = provider("sqs").receive_message(
            self._context,
            self.queue_url,
            message_system_attribute_names=["All"],
            message_attribute_names=["All"],
            max_number_of_messages=min(limit, _SQS_BATCH),
            wait_time_seconds=wait_s,
        )
        return result["Messages"] or []

    def _split(self, messages: list[Message]) -> Iterator[list[Message]]:
        """Cut what was received into invocations: by message group, and by payload size."""
        groups = [messages]
        if "MessageGroupId" in messages[0]["Attributes"] and self.is_fifo_queue:
            groups = list(split_by_message_group_id(messages).values())
        for group in groups:
            batch: list[Message] = []
            size = 0
            for message in group:
                length = len(json.dumps(message, cls=BytesEncoder))
                if batch and size + length > _MAX_PAYLOAD_BYTES:
                    yield batch
                    batch, size = [], 0
                batch.append(message)
                size += length
            yield batch

    def _handle(self, messages: list[Message]) -> None:
        events = transform_into_events(messages)
        wanted = self._matching(events)
        ids = {event["messageId"] for event in wanted}
        # A filter deletes what it does not let through.
        self._delete(messages, {event["messageId"] for event in events} - ids)
        if not wanted:
            return
        records = self.add_source_metadata(wanted)
        payload = json.dumps({"Records": records}, cls=BytesEncoder).encode()
        result = self._function.invoke(payload)
        if result.is_error:
            LOG.info("event source %s: the function failed", self.source_arn)
            return
        self._delete(messages, ids - self._failures(result.payload, ids))

    def _matching(self, events: list[Event]) -> list[Event]:
        """Filter on parsed copies, so that the function gets every body as it was sent."""
        if not self.filter_patterns:
            return events
        return [event for event in events if self.filter_events([_parsed(event)])]

    def _failures(self, payload: bytes, ids: set[str]) -> set[str]:
        """Return the ids to keep. An answer that Lambda cannot read fails the whole batch."""
        if not self._reports_failures:
            return set()
        try:
            return set(parse_batch_item_failures(json.loads(payload or b"null"), ids))
        except (KeyError, ValueError, TypeError, AttributeError) as error:
            LOG.warning("event source %s: unreadable answer: %r", self.source_arn, error)
            return ids

    def _delete(self, messages: list[Message], ids: set[str]) -> None:
        handles = [m["ReceiptHandle"] for m in messages if m["MessageId"] in ids]
        for start in range(0, len(handles), _SQS_BATCH):
            chunk = handles[start : start + _SQS_BATCH]
            entries = [{"Id": str(n), "ReceiptHandle": h} for n, h in enumerate(chunk)]
            provider("sqs").delete_message_batch(self._context, self.queue_url, entries)


def _parsed(event: Event) -> Event:
    """Return a copy whose body is an object where it is JSON, for patterns to look into."""
    copy = dict(event)
    with contextlib.suppress(ValueError):
        copy["body"] = json.loads(event["body"])
    return copy
