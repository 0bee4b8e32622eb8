"""DynamoDB and DynamoDB Streams, answered by ministack's engine inside LocalStack's process.

LocalStack's own providers need Java (DynamoDB Local), and moto's engine loses updates under
concurrency. ministack's is pure Python without dependencies. It was written for one event loop,
so one lock around every call is what keeps conditional writes atomic here.
"""

import threading
from collections.abc import Callable
from typing import Any

from localstack.aws.api import RequestContext
from localstack.aws.spec import load_service
from localstack.http import Response
from localstack.services.plugins import Service, ServiceLifecycleHook
from localstack.state import StateVisitor
from ministack.core.responses import request_scope
from ministack.services import dynamodb as engine
from ministack.services import dynamodb_streams as streams_engine

_ENGINES: dict[str, Callable[..., Any]] = {
    "dynamodb": engine.handle_request,
    "dynamodbstreams": streams_engine.handle_request,
}

# Reentrant and shared with the engine: its TTL reaper thread must not delete an item between
# another call's condition and its write, and its handlers take the lock again inside ours.
_LOCK = threading.RLock()
engine._lock = _LOCK  # noqa: SLF001


def call_engine(
    service: str, *, target: str, body: bytes, account_id: str, region: str
) -> tuple[int, dict[str, str], bytes]:
    """Run one request to its end; returns status, headers and body."""
    headers = {"x-amz-target": target}
    with _LOCK, request_scope(account_id, region):
        coroutine = _ENGINES[service]("POST", "/", headers, body, {})
        try:
            coroutine.send(None)
        except StopIteration as finished:
            status, response_headers, payload = finished.value
            return status, response_headers, payload
        # The engine's handlers are synchronous code in an async signature. One that really waits
        # would need a loop, and would give up the lock's promise: refuse rather than guess.
        coroutine.close()
        message = f"{target} waits inside the engine; it cannot be answered atomically"
        raise NotImplementedError(message)


def reset_engine() -> None:
    """Forget all tables, streams and settings of every account and region."""
    with _LOCK:
        engine.reset()
        streams_engine.reset()


class EngineProvider(ServiceLifecycleHook):
    """What LocalStack's service manager sees: a provider whose every operation is the engine's."""

    def __init__(self, service: str) -> None:
        """Stand for `dynamodb` or `dynamodbstreams`."""
        self.service = service

    def accept_state_visitor(self, visitor: StateVisitor) -> None:
        """Have nothing to visit: the state is the engine's own."""

    def on_after_state_reset(self) -> None:
        """Reset the engine with the rest of LocalStack."""
        reset_engine()

    def answer(self, context: RequestContext, _request: object) -> Response:
        """Pass the request's bytes to the engine and its answer's bytes back."""
        status, headers, body = call_engine(
            self.service,
            target=context.request.headers["X-Amz-Target"],
            body=context.request.get_data(),
            account_id=context.account_id,
            region=context.region,
        )
        # Set so that LocalStack does not parse the answer again only to count it.
        context.service_response = {}
        headers["x-amzn-requestid"] = context.request_id
        return Response(body, status=status, headers=headers)


def engine_service(service: str) -> Service:
    """Make the LocalStack service whose operations are all answered by the engine."""
    provider = EngineProvider(service)
    operations = load_service(service).operation_names
    return Service.for_provider(
        provider, dispatch_table_factory=lambda _: dict.fromkeys(operations, provider.answer)
    )
