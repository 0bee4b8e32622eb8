"""The agent `webhook`: carries notices to receivers by https, signed (Standard Webhooks).

A project that lists `sqswarm.workers.agents.webhook` among its agents deploys it, and with it the
retries, the dead letters and the timeline that every agent has. It posts to whom the deployed
project names alone, so that nobody signs anything for anybody else.
Source: Standard Webhooks 1.0.0 (github.com/standard-webhooks/standard-webhooks).
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

from sqswarm.backends.secrets import secret
from sqswarm.dispatcher.url_policy import AddressRefused, UrlPolicy
from sqswarm.schemas.as_tool import AsTool
from sqswarm.schemas.json import dumps, loads
from sqswarm.schemas.notice import WEBHOOKS_VARIABLE
from sqswarm.schemas.settings import Settings
from sqswarm.workers.agent import agent
from sqswarm.workers.agents.post import Answer, NoAnswer, post, signed
from sqswarm.workers.runtime.outcome import Fail, Retry

_GONE = 410
_OK = range(200, 300)
_WAITS = frozenset({429, 503})
_LONGEST_WAIT_S = 3600


@agent(
    max_attempts=20,  # an hour or two, and more where a receiver says when to come again
    timeout=30,
    concurrency=5,
    tool=AsTool(destructive=False, idempotent=True, open_world=True),
)
async def webhook(url: str, event: dict[str, Any]) -> dict[str, int]:
    """Tell a webhook that the project names of an event, signed with the webhook's secret."""
    receivers = loads(os.environ.get(WEBHOOKS_VARIABLE) or "{}")
    if url not in receivers:
        message = f"{url} is none of the webhooks in [tool.sqswarm] notify"
        raise Fail(message, type="NotifyRefused")
    event_id = event.get("id")
    if not isinstance(event_id, str) or not event_id or "." in event_id:
        message = "the event has no id that can be signed"
        raise Fail(message, type="InvalidArguments")
    key = await secret(receivers[url])
    try:
        # Checked here, and connected to as it was checked: no second look-up gives another.
        address = await UrlPolicy(loopback=Settings.from_env(os.environ).local).resolve(url)
    except AddressRefused as refused:
        raise Fail(str(refused), type="AddressRefused") from refused
    except OSError as error:
        message = f"{url} does not resolve: {error}"
        raise Retry(message) from error
    body = dumps(event).encode()
    try:
        headers = signed(event_id, body, key)
        answer = await asyncio.to_thread(post, url, address, body, headers)
    except ValueError as error:
        message = f"the secret of {url} cannot sign: {error}"
        raise Fail(message, type="SecretNotFound") from error
    except NoAnswer as error:
        raise Retry(str(error)) from error
    return _told(url, answer)


def _told(url: str, answer: Answer) -> dict[str, int]:
    """Return what a receiver answered; raises Fail where it is gone, Retry for all but a 2xx."""
    if answer.status in _OK:
        return {"status": answer.status}
    said = f": {answer.text}" if answer.text else ""
    message = f"{url} answers {answer.status}{said}"
    if answer.status == _GONE:
        raise Fail(message, type="ReceiverGone")
    after_s = answer.retry_after_s if answer.status in _WAITS else None
    raise Retry(message, after=None if after_s is None else min(after_s, _LONGEST_WAIT_S))
