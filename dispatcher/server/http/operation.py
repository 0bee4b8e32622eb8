"""One operation: what the router, the validation and the OpenAPI document know of it."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any, Protocol

from pydantic import BaseModel
from starlette.requests import Request
from starlette.responses import Response

from sqswarm.dispatcher.async_client import AsyncSwarm
from sqswarm.dispatcher.server.identity import Identity
from sqswarm.schemas.json import JsonObject, dumps


class Stage(Protocol):
    """What an API needs of the server."""

    def swarm(self, caller: Identity) -> AsyncSwarm:
        """Return the swarm, acting as this caller."""


@dataclass(frozen=True, kw_only=True)
class Call:
    """One validated request. `body` and `query` are of the models that the operation names."""

    swarm: AsyncSwarm
    request: Request
    body: Any = None
    query: Any = None

    @property
    def task_id(self) -> str:
        """Return the task that the path names."""
        return str(self.request.path_params["task_id"])


@dataclass(frozen=True, kw_only=True)
class Operation:
    """One method of one path. Its summary is the first line of what `act` says of itself."""

    method: str
    path: str
    act: Callable[[Call], Awaitable[Response]]
    body: type[BaseModel] | None = None
    query: type[BaseModel] | None = None
    status: int = 200
    answer: type[BaseModel]
    refusals: tuple[int, ...] = ()
    takes_idempotency_key: bool = False


def answered(body: JsonObject, *, status: int = 200, location: str | None = None) -> Response:
    """Return a JSON answer, which no cache may keep: it is one principal's."""
    headers = {"Cache-Control": "no-store", **({"Location": location} if location else {})}
    return Response(dumps(body), status_code=status, media_type="application/json", headers=headers)
