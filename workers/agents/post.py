"""Post: one signed request to the address that was checked; no redirect is followed."""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any
from urllib.parse import urlsplit

import urllib3

from sqswarm.schemas.value import dataclass

CONNECT_S = 5.0
READ_S = 10.0
"""Seconds for which a receiver may say nothing; Standard Webhooks wants 15 to 30 in all."""

ANSWER_LIMIT_BYTES = 4096
"""What is read of an answer, for the reason that a failure keeps."""

_SHOWN = 200
_PREFIX = "whsec_"
_TLS_PORT = 443


class NoAnswer(Exception):
    """The receiver could not be reached, or said nothing in time."""


@dataclass(frozen=True, kw_only=True)
class Answer:
    """What a receiver answered; `text` begins its body, `retry_after_s` is when to come again."""

    status: int
    text: str
    retry_after_s: float | None


def signed(event_id: str, body: bytes, secret: str, *, at_s: int | None = None) -> dict[str, str]:
    """Return the headers of a signed request (Standard Webhooks, "Signature scheme": v1).

    `secret` is base64, with or without `whsec_`; `at_s` the time, Unix seconds, now if not given.
    Raises ValueError where it is no such secret.
    """
    try:
        key = base64.b64decode(secret.strip().removeprefix(_PREFIX), validate=True)
    except binascii.Error as error:
        message = "it is not base64 after whsec_"
        raise ValueError(message) from error
    if not key:
        message = "it is empty"
        raise ValueError(message)
    at = str(int(time.time()) if at_s is None else at_s)
    digest = hmac.new(key, f"{event_id}.{at}.".encode() + body, hashlib.sha256).digest()
    return {
        "webhook-id": event_id,
        "webhook-timestamp": at,
        "webhook-signature": f"v1,{base64.b64encode(digest).decode()}",
    }


def post(url: str, address: str, body: bytes, headers: Mapping[str, str]) -> Answer:
    """Post to `url` at the IP `address`; blocks for some READ_S at most. Raises NoAnswer."""
    parts = urlsplit(url)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    sent = {
        **headers,
        "host": parts.netloc.rpartition("@")[2],
        "content-type": "application/json",
        "user-agent": "sqswarm",
    }
    began = time.monotonic()
    try:
        with _pool(parts.scheme, str(parts.hostname), address, parts.port) as pool:
            answer = pool.urlopen(
                "POST", path, body=body, headers=sent, redirect=False, preload_content=False
            )
            try:
                text = _start(answer, until=began + READ_S)
            finally:
                answer.close()
    except (urllib3.exceptions.HTTPError, OSError) as error:
        message = f"{url} gives no answer: {type(error).__name__}: {error}"
        raise NoAnswer(message) from error
    return Answer(
        status=answer.status,
        text=text,
        retry_after_s=_seconds(answer.headers.get("retry-after")),
    )


def _pool(scheme: str, host: str, address: str, port: int | None) -> urllib3.HTTPConnectionPool:
    options: dict[str, Any] = {
        "timeout": urllib3.Timeout(connect=CONNECT_S, read=READ_S),
        "retries": False,
        "maxsize": 1,
    }
    if scheme == "http":  # to this machine alone, beside an emulator
        return urllib3.HTTPConnectionPool(address, port or 80, **options)
    return urllib3.HTTPSConnectionPool(
        address, port or _TLS_PORT, server_hostname=host, assert_hostname=host, **options
    )


def _start(answer: urllib3.BaseHTTPResponse, *, until: float) -> str:
    """Return how the body begins: a receiver that drips or floods keeps nobody."""
    read = b""
    if not hasattr(
        answer, "read1"
    ):  # urllib3 1, in Lambda's older runtimes, blocks till it has all
        return ""
    while len(read) < ANSWER_LIMIT_BYTES and time.monotonic() < until:
        part = answer.read1(ANSWER_LIMIT_BYTES - len(read))
        if not part:
            break
        read += part
    text = read.decode(errors="replace")
    return "".join(c if c.isprintable() else " " for c in text)[:_SHOWN].strip()


def _seconds(said: str | None) -> float | None:
    """Return the seconds that Retry-After says: a number, or until a time (RFC 9110 §10.2.3)."""
    if said is None:
        return None
    if said.strip().isdecimal():
        return float(said)
    try:
        at = parsedate_to_datetime(said)
    except ValueError:
        return None
    return max(0.0, (at.replace(tzinfo=at.tzinfo or UTC) - datetime.now(UTC)).total_seconds())
