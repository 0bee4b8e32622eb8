"""Remote server: a connection to an MCP server, for as long as one piece of work takes."""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeVar
from urllib.parse import urlsplit

from sqswarm.backends.secrets import secret
from sqswarm.schemas.errors import SecretNotFound
from sqswarm.workers.runtime.outcome import Fail

if TYPE_CHECKING:
    from sqswarm.dispatcher.mcp_client import TaskHandle

T = TypeVar("T")

_SHORTEST_S = 1.0


@dataclass(frozen=True, kw_only=True)
class RemoteServer:
    """An MCP server, and the name of the secret it wants. `left_s` bounds each request."""

    url: str
    auth: str | None
    left_s: Callable[[], float]

    async def with_task(self, task_id: str, work: Callable[[TaskHandle], Awaitable[T]]) -> T:
        """Connect and do `work` on one of the server's tasks; see `connected`."""

        async def resumed(client: Any) -> T:
            from sqswarm.dispatcher.mcp_client import TaskHandle

            return await work(TaskHandle.resume(client, task_id))

        return await self.connected(resumed)

    async def connected(self, work: Callable[[Any], Awaitable[T]]) -> T:
        """Connect, do `work`, and raise what it raised as it is: not in an ExceptionGroup.

        Raises Unreachable where the server does not answer, Fail where it may not be called.
        """
        connect, reach_of, refused = _client_parts()
        url_policy = reach_of(os.environ)
        done: list[T] = []
        failed: Exception | None = None
        try:
            headers = await self._headers(url_policy)
            timeout_s = max(_SHORTEST_S, self.left_s())
            async with connect(
                self.url, headers=headers, url_policy=url_policy, timeout_s=timeout_s
            ) as client:
                try:
                    done.append(await work(client))
                except Exception as error:
                    failed = error
        except Exception as error:
            # What the work came to counts for more than how the connection ended.
            if not done and failed is None:
                failed = _single(error)
        if done:
            return done[0]
        if isinstance(failed, refused):
            raise Fail(str(failed), type="AddressRefused") from failed
        raise failed or ConnectionError(f"the connection to {self._shown} ended")

    async def _headers(self, url_policy: Any) -> dict[str, str]:
        if self.auth is None:
            return {}
        if not url_policy.trusts(self.url):
            message = f"{self._shown} is not named in SQSWARM_MCP_ALLOW, so no secret is sent there"
            raise Fail(message, type="SecretRefused")
        try:
            return {"Authorization": f"Bearer {await secret(self.auth)}"}
        except SecretNotFound as error:
            raise Fail(f"{error}: {error.hint}", type="InvalidSecret") from error

    @property
    def _shown(self) -> str:
        """Return where the URL leads, without what may be secret in it."""
        parts = urlsplit(self.url)
        return f"{parts.scheme}://{parts.hostname}"


def _client_parts() -> tuple[Any, Any, type[Exception]]:
    """Import the MCP client, here and not before: it takes a second."""
    try:
        from sqswarm.dispatcher.mcp_client import AddressRefused, UrlPolicy, connect
    except ModuleNotFoundError as error:
        message = f'ctx.mcp needs {error.name}: add `requirements = ["mcp>=2.3"]` to [tool.sqswarm]'
        raise Fail(message, type="NeedsMcp") from error
    return connect, UrlPolicy.from_env, AddressRefused


def _single(error: Exception) -> Exception:
    """Return the one error that a group of task groups' errors stands for."""
    while isinstance(error, ExceptionGroup):
        error = error.exceptions[0]
    return error
