"""Probe: is anybody there, asked once and quickly."""

from __future__ import annotations

import socket
from urllib.parse import urlsplit

from sqswarm.schemas.errors import Unreachable
from sqswarm.schemas.settings import Settings

_PATIENCE_S = 2.0


def probe(settings: Settings) -> None:
    """Raise Unreachable where nothing listens at a local endpoint.

    The SDK would try for half a minute before it says so.
    """
    if not (settings.local and settings.endpoint_url):
        return
    parts = urlsplit(settings.endpoint_url)
    try:
        socket.create_connection((parts.hostname, parts.port or 80), timeout=_PATIENCE_S).close()
    except OSError as error:
        message = f"nothing answers at {settings.endpoint_url}: {error.strerror or error}"
        raise Unreachable(message) from error
