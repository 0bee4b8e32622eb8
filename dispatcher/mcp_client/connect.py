"""Connect: a client for a server that outlives lost connections and stays within its URL policy."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import httpx2

from sqswarm.dispatcher.mcp_client.extension import tasks
from sqswarm.dispatcher.url_policy import UrlPolicy
from sqswarm.schemas.errors import Unreachable

if TYPE_CHECKING:
    import mcp

_CONNECT_S = 5.0
_REFUSALS = frozenset({401, 403})


@asynccontextmanager
async def connect(
    url: str,
    *,
    headers: Mapping[str, str] | None = None,
    url_policy: UrlPolicy | None = None,
    timeout_s: float = 30.0,
) -> AsyncIterator[mcp.Client]:
    """Connect to a server by streamable HTTP, with the Tasks extension.

    `timeout_s` is for each request. With `url_policy` only what it allows is called. The SDK's own
    HTTP client ends for good with the first connection that fails; through this one a poll
    that fails may be repeated. Raises AddressRefused, and Unreachable where nothing answers or
    the server wants other credentials.
    """
    if url_policy is not None:
        await url_policy.resolve(url)  # refused here, not as an answer of the server's
    transport = _Steady(url_policy)
    opened = False
    try:
        async with _client(url, transport, headers or {}, timeout_s) as client:
            opened = True
            yield client
    except Exception as error:
        if opened or transport.trouble is None:
            raise
        message = f"{urlsplit(url).hostname}: {transport.trouble}"
        raise Unreachable(message, hint="Check the address and `auth`.") from error


@asynccontextmanager
async def _client(
    url: str, transport: _Steady, headers: Mapping[str, str], timeout_s: float
) -> AsyncIterator[mcp.Client]:
    import mcp
    from mcp.client.streamable_http import streamable_http_client

    async with (
        httpx2.AsyncClient(
            headers=dict(headers),
            timeout=httpx2.Timeout(timeout_s, connect=_CONNECT_S),
            transport=transport,
            trust_env=False,  # a proxy would resolve names by itself
        ) as http,
        mcp.Client(
            streamable_http_client(url, http_client=http),
            extensions=[tasks()],
            read_timeout_seconds=timeout_s,
        ) as client,
    ):
        yield client


class _Steady(httpx2.AsyncHTTPTransport):
    """Connects where `url_policy` says, and answers 503 itself where the connection fails."""

    def __init__(self, url_policy: UrlPolicy | None) -> None:
        super().__init__()
        self._url_policy = url_policy
        self.trouble: str | None = None
        """Why the last request came to nothing, which the SDK's own error does not say."""

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        try:
            if self._url_policy is not None:
                await self._aim(request, self._url_policy)
            response = await super().handle_async_request(request)
        except (httpx2.TransportError, OSError) as error:
            self.trouble = f"{type(error).__name__}: {error}"
            return httpx2.Response(503, text=self.trouble, request=request)
        bad = response.status_code in _REFUSALS or response.is_server_error
        self.trouble = f"it answers {response.status_code}" if bad else None
        return response

    async def _aim(self, request: httpx2.Request, url_policy: UrlPolicy) -> None:
        """Send the request to the address that was checked, under the name it was meant for."""
        address = await url_policy.resolve(str(request.url))
        request.extensions = {**request.extensions, "sni_hostname": request.url.host}
        request.url = request.url.copy_with(host=address)
