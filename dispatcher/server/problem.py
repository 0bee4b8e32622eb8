"""Problems: how a refusal looks over HTTP, and which status an error has (RFC 9457)."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from starlette.responses import Response

from sqswarm.dispatcher.server.limits import LimitReached
from sqswarm.schemas.errors import (
    IdempotencyConflict,
    InvalidArguments,
    NotDeployed,
    NotifyRefused,
    PayloadTooLarge,
    PublishFailed,
    SwarmError,
    TaskEnded,
    TaskNotFound,
    TimedOut,
    UnknownAgent,
    UnknownCursor,
    UnknownTopic,
    Unreachable,
    UsageError,
)
from sqswarm.schemas.json import JsonObject, dumps

MEDIA_TYPE = "application/problem+json"
TOO_MANY = 429

STATUSES: tuple[tuple[type[SwarmError], int], ...] = (
    (TaskNotFound, 404),
    (UnknownAgent, 404),
    (UnknownCursor, 404),
    (UnknownTopic, 404),
    (NotifyRefused, 403),
    (IdempotencyConflict, 409),
    (TaskEnded, 409),
    (PayloadTooLarge, 413),
    (InvalidArguments, 422),
    (UsageError, 400),
    (LimitReached, TOO_MANY),
    (NotDeployed, 503),
    (Unreachable, 503),
    (PublishFailed, 503),
    (TimedOut, 504),
)
"""The first class that fits decides; any other error is a 500."""

_SERVER_ERROR = 500
_INNER_HINT = "Try again in a moment; the server's own log says what was wrong."


def status_of(error: SwarmError) -> int:
    """Return the HTTP status that an error means."""
    return next((status for kind, status in STATUSES if isinstance(error, kind)), _SERVER_ERROR)


def reason_of(error: SwarmError) -> str:
    """Return an error's name as a short word: `TaskNotFound` is `task-not-found`."""
    return re.sub(r"(?<!^)(?=[A-Z])", "-", type(error).__name__).lower()


def problem(
    status: int,
    reason: str,
    detail: str,
    *,
    hint: str | None = None,
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> Response:
    """Return a problem document. `reason` is a short machine-readable word."""
    body: JsonObject = {
        "type": f"urn:sqswarm:problem:{reason}",
        "title": reason.replace("-", " ").capitalize(),
        "status": status,
        "detail": detail,
        **({"hint": hint} if hint else {}),
        **more,
    }
    return Response(
        dumps(body),
        status_code=status,
        media_type=MEDIA_TYPE,
        headers={"Cache-Control": "no-store", **(headers or {})},
    )


def problem_of(error: SwarmError, **more: Any) -> Response:
    """Return an error as a problem, with its hint.

    What a backend said stays inside: it may name accounts, roles and addresses.
    """
    status = status_of(error)
    if status >= _SERVER_ERROR:
        detail, hint = "the swarm behind this server did not do its part", _INNER_HINT
    else:
        detail, hint = str(error), error.hint
    if isinstance(error, LimitReached):
        more = {**more, **error.data, "headers": _retry_after(error)}
    return problem(status, reason_of(error), detail, hint=hint, **more)


def json_rpc_problem(reached: LimitReached) -> Response:
    """Return a reached limit as MCP's clients read it: a JSON-RPC error of no certain request."""
    return Response(
        dumps({"jsonrpc": "2.0", "id": None, "error": json_rpc_error_of(reached)}),
        status_code=TOO_MANY,
        media_type="application/json",
        headers={"Cache-Control": "no-store", **_retry_after(reached)},
    )


def json_rpc_error_of(reached: LimitReached) -> JsonObject:
    """Return a reached limit as a JSON-RPC error; its code is HTTP's for the same."""
    return {
        "code": TOO_MANY,
        "message": f"{reached}. {reached.hint}",
        "data": reached.data,
    }


def _retry_after(reached: LimitReached) -> dict[str, str]:
    return {"Retry-After": str(reached.retry_after_s)}
