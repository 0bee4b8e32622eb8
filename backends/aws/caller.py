"""AWS calls behind one awaitable shape, so that each adapter is written once.

The blocking caller serves `Swarm`, the threaded one the Lambda worker (boto3 is imported anyway,
aioboto3 would double the cold start), the aioboto3 one `AsyncSwarm` and the container worker.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AsyncExitStack
from typing import Any, Protocol

from botocore import exceptions as aws

from sqswarm.schemas.errors import NotDeployed, SwarmError, Unreachable

Response = dict[str, Any]
ClientFactory = Callable[[str], Any]
"""Service name → client; makes each client once."""


class AwsCaller(Protocol):
    """One AWS API call, awaited."""

    async def call(self, service: str, operation: str, /, **params: Any) -> Response:
        """Call `operation` (boto3's method name) of `service` and return its response.

        A streaming body comes read to its end, as bytes.

        Raises botocore's ClientError for the service's own refusals, NotDeployed where the
        resource is missing, Unreachable where there is no answer or no permission.
        """
        ...


class BlockingCaller:
    """boto3, in the calling thread."""

    def __init__(self, clients: ClientFactory) -> None:
        """Call through `clients`."""
        self._clients = clients

    async def call(self, service: str, operation: str, /, **params: Any) -> Response:
        """Block until the answer is there."""
        return _blocking(getattr(self._clients(service), operation), service, params)


class ThreadedCaller:
    """boto3, each call in a thread of the event loop's pool."""

    def __init__(self, clients: ClientFactory) -> None:
        """Call through `clients`, whose boto3 clients are thread-safe."""
        self._clients = clients

    async def call(self, service: str, operation: str, /, **params: Any) -> Response:
        """Let the loop go on until the answer is there."""
        method = getattr(self._clients(service), operation)
        return await asyncio.to_thread(_blocking, method, service, params)


def _blocking(method: Callable[..., Response], service: str, params: dict[str, Any]) -> Response:
    try:
        response = method(**params)
        if hasattr(response.get("Body"), "read"):
            response["Body"] = response["Body"].read()
    except _FAILURES as error:
        raise translated(error, service) from error
    return response


class AioCaller:
    """aioboto3, on the event loop; an async context manager that closes its clients."""

    def __init__(self, session: Any, options: Callable[[str], dict[str, Any]]) -> None:
        """Make clients from `session` (aioboto3.Session) with `options(service)`."""
        self._session = session
        self._options = options
        self._stack = AsyncExitStack()
        self._clients: dict[str, Any] = {}
        self._lock = asyncio.Lock()

    async def call(self, service: str, operation: str, /, **params: Any) -> Response:
        """Let the loop go on until the answer is there; a body stream is read to its end."""
        client = self._clients.get(service) or await self._open(service)
        try:
            response: Response = await getattr(client, operation)(**params)
            if hasattr(response.get("Body"), "read"):
                response["Body"] = await response["Body"].read()
        except _FAILURES as error:
            raise translated(error, service) from error
        return response

    async def _open(self, service: str) -> Any:
        async with self._lock:
            if service not in self._clients:
                client = self._session.client(service, **self._options(service))
                self._clients[service] = await self._stack.enter_async_context(client)
            return self._clients[service]

    async def close(self) -> None:
        """Close every client's connections."""
        await self._stack.aclose()
        self._clients.clear()


_MISSING = frozenset(
    {
        "ResourceNotFound",  # of one statement of a batch
        "ResourceNotFoundException",
        "NotFound",
        "NotFoundException",
        "NoSuchBucket",
        "AWS.SimpleQueueService.NonExistentQueue",
        "QueueDoesNotExist",
    }
)
_DENIED = frozenset(
    {
        "AccessDenied",
        "AccessDeniedException",
        "AuthorizationError",
        "ExpiredToken",
        "ExpiredTokenException",
        "InvalidClientTokenId",
        "UnrecognizedClientException",
        "SignatureDoesNotMatch",
    }
)
_THROTTLED = frozenset(
    {
        "ProvisionedThroughputExceeded",
        "ProvisionedThroughputExceededException",
        "RequestLimitExceeded",
        "SlowDown",
        "Throttling",
        "ThrottlingError",
        "ThrottlingException",
        "TooManyRequestsException",
    }
)
"""Source: botocore.retries.standard, ThrottledRetryableChecker; what the services used here say."""
_BROKEN = 500
_FAILURES = (aws.ClientError, aws.BotoCoreError)
_NO_CREDENTIALS = (
    aws.NoCredentialsError,
    aws.PartialCredentialsError,
    aws.ProfileNotFound,
    aws.TokenRetrievalError,
    aws.SSOError,
)


def error_code(error: aws.ClientError) -> str:
    """Return the service's own error code."""
    return str(error.response.get("Error", {}).get("Code", ""))


def translated(error: Exception, service: str) -> Exception:
    """Return the error a caller can act on; an error with a meaning of its own stays as it is."""
    if isinstance(error, aws.ClientError):
        return _translated_refusal(error, service)
    if isinstance(error, _NO_CREDENTIALS):
        return Unreachable(
            f"no AWS credentials: {error}",
            hint="For the local stack run `sqswarm up`; for AWS run `aws configure` or set "
            "AWS_PROFILE.",
        )
    if isinstance(error, aws.HTTPClientError | aws.ConnectionError):
        endpoint = getattr(error, "kwargs", {}).get("endpoint_url", service)
        return Unreachable(f"no answer from {endpoint}: {error}")
    return error


def _translated_refusal(error: aws.ClientError, service: str) -> SwarmError | aws.ClientError:
    code = error_code(error)
    if code in _MISSING:
        return NotDeployed(f"{service} has no such resource: {error}")
    if code in _DENIED:
        return Unreachable(
            f"{service} refused: {error}",
            hint="Check the credentials (`aws sts get-caller-identity`) and their permissions.",
        )
    status = error.response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
    if code in _THROTTLED or status >= _BROKEN:
        return Unreachable(
            f"{service} cannot serve this now: {error}",
            hint="Try again in a moment; with the same `idempotency_key` nothing is done twice.",
        )
    return error
