"""Clients of the Messages API: one per process, event loop and account; all wait together.

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
from sqswarm.schemas.protocol import ledger
from sqswarm.schemas.settings import LOOPBACK_HOSTS
from sqswarm.schemas.writes import Refused
from sqswarm.workers.runtime.worker_context import WorkerContext

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


async def close_clients() -> None:
    """Close the connections of this event loop's clients: before the loop ends for good."""
    for client in _clients.pop(asyncio.get_running_loop(), {}).values():
        await client.close()


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


_LOOK_EVERY_MS = 1000
_SPREAD_MS = 1000
_KEPT_S = 24 * 3600


class Throttled(Exception):
    """The API answered 429 or 529. `after_s` is how long it wants us to wait, where it says so."""

    def __init__(self, status: int, after_s: float | None) -> None:
        """Keep what the answer said."""
        super().__init__(f"the API answered {status}")
        self.status = status
        self.after_s = after_s


class Throttle:
    """One account's pauses, shared over the table: it is read at most once a second."""

    def __init__(self, worker: WorkerContext, whom: str) -> None:
        """Share pauses of all calls to `whom`."""
        self._worker = worker
        self._whom = whom
        self._until_ms = 0
        self._looked_ms = 0

    async def wait_ms(self) -> int:
        """Return how long a call that is about to start has to wait; 0 for not at all."""
        now = self._worker.now_ms()
        if now - self._looked_ms >= _LOOK_EVERY_MS:
            self._looked_ms = now
            item = await self._worker.store.read(ledger.pause_key(self._whom))
            self._until_ms = max(self._until_ms, item["until"] if item else 0)
        if self._until_ms <= now:
            return 0
        return self._until_ms - now + round(_SPREAD_MS * self._worker.runner.jitter())

    async def note(self, throttled: Throttled, *, times: int) -> None:
        """Tell every worker to wait, longer each time a call is refused again."""
        asked_s = throttled.after_s if throttled.after_s is not None else 0.5
        now = self._worker.now_ms()
        until = now + round(1000 * asked_s * min(2.0 ** (times - 1), 8.0))
        if until <= self._until_ms:
            return
        self._until_ms = until
        expires_s = until // 1000 + _KEPT_S
        for known in (True, False):
            write = ledger.pause(self._whom, known=known, until_ms=until, expires_s=expires_s)
            outcome = await self._worker.store.write(write)
            if not isinstance(outcome, Refused) or outcome.item is not None:
                return
