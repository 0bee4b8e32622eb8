"""Clients of the Messages API: one per process, event loop and account.

A warm worker keeps its connections from task to task. Which API it is, is a setting.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import urlsplit
from weakref import WeakKeyDictionary

from sqswarm.backends.secrets import secret
from sqswarm.schemas.errors import InvalidAgent
from sqswarm.schemas.settings import LOOPBACK_HOSTS
from sqswarm.workers.claude.throttle import Throttled

PROVIDERS = ("anthropic", "bedrock")
HANDED_ON = ("ANTHROPIC_BASE_URL", "CLAUDE_PRICES")
"""Variables of whoever deploys that reach the function: none of them is a secret."""

_TIMEOUT_S = 600.0
_RETRIES = 3
_THROTTLED = frozenset({429, 529})
_OFFLINE_KEY = "offline"


@dataclass(frozen=True, kw_only=True)
class Account:
    """Whose API is called, and where the key is found: a reference, never the key."""

    provider: str = "anthropic"
    base_url: str | None = None
    api_key: str = "env:ANTHROPIC_API_KEY"

    def __post_init__(self) -> None:
        """Refuse what is no provider."""
        if self.provider not in PROVIDERS:
            message = f"provider={self.provider!r} is none of {', '.join(PROVIDERS)}"
            raise InvalidAgent(message)

    def settled(self, environment: Mapping[str, str]) -> Account:
        """Return it with the address the environment names, where it names none itself."""
        if self.provider != "anthropic":
            return self
        return replace(self, base_url=self.base_url or environment.get("ANTHROPIC_BASE_URL"))

    @property
    def is_local(self) -> bool:
        """Tell whether it is this machine: then a key is not needed."""
        return urlsplit(self.base_url or "").hostname in LOOPBACK_HOSTS

    @property
    def whom(self) -> str:
        """Return the name under which workers share its pauses."""
        return f"{self.provider}:{urlsplit(self.base_url or '').netloc or 'default'}"


_clients: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Account, Any]] = WeakKeyDictionary()


async def client_of(account: Account) -> Any:
    """Return the client of `account`, made once a process and loop.

    Raises SecretNotFound where its key cannot be had.
    """
    made = _clients.setdefault(asyncio.get_running_loop(), {})
    account = account.settled(os.environ)
    client = made.get(account)
    if client is None:
        client = made[account] = await _client(account)
    return client


async def _client(account: Account) -> Any:
    import anthropic

    options: dict[str, Any] = {
        "base_url": account.base_url,
        "timeout": _TIMEOUT_S,
        "max_retries": _RETRIES,
        "middleware": [_tell_throttled],
    }
    if account.provider == "bedrock":
        return anthropic.AsyncAnthropicBedrock(aws_region=os.environ.get("AWS_REGION"), **options)
    key = await secret(account.api_key, default=_OFFLINE_KEY if account.is_local else None)
    return anthropic.AsyncAnthropic(api_key=key, **options)


async def _tell_throttled(request: Any, call_next: Any) -> Any:
    """Take 429 and 529 out of the SDK's own retries: all workers wait for them together."""
    response = await call_next(request)
    if response.status_code in _THROTTLED:
        after_s = _after_s(response.headers)
        raise Throttled(response.status_code, after_s)
    return response


def _after_s(headers: Mapping[str, str]) -> float | None:
    for name, unit_s in (("retry-after-ms", 0.001), ("retry-after", 1.0)):
        try:
            return float(headers[name]) * unit_s
        except (KeyError, ValueError):
            continue
    return None
