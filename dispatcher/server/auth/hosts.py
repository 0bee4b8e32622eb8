"""Hosts and origins: which names this server answers to, and which web pages may call it.

A page of any site can have a browser send requests to a server on the reader's own machine, by
pointing a name of its own there (DNS rebinding). Such a request names the page's host and origin.
Source: MCP specification, "Streamable HTTP: security warning".
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from sqswarm.dispatcher.server.auth.errors import AuthError

LOOPBACK = ("localhost", "127.0.0.1", "[::1]")
ANY = "*"

_HOST = re.compile(r"[a-z0-9._-]+(:[0-9]+)?|\[[0-9a-f:.]+\](:[0-9]+)?")


def one_header(headers: Iterable[tuple[bytes, bytes]], name: bytes) -> list[str]:
    """Return every value of a header: more than one of those that decide is a trick."""
    return [value.decode("latin-1").strip() for key, value in headers if key.lower() == name]


def check_host(given: list[str], allowed: Iterable[str]) -> str:
    """Return the request's Host; raises AuthError (421) for one this server does not answer to.

    An allowed name without a port fits every port.
    """
    host = given[0].lower() if len(given) == 1 else ""
    if _HOST.fullmatch(host):  # it is repeated in answers, also where any name is taken
        names = {name.lower() for name in allowed}
        if ANY in names or host in names or without_port(host) in names:
            return host
    raise AuthError(421, "wrong-host", "this server does not answer to that Host")


def check_origin(given: list[str], host: str, allowed: Iterable[str]) -> None:
    """Raise AuthError (403) for a web page that is neither ours nor allowed.

    Programs send no Origin. A page served under the very Host it calls is our own.
    """
    if not given:
        return
    if len(given) == 1:
        origin = given[0].lower()
        if origin in {name.lower() for name in allowed}:
            return
        parts = urlsplit(origin)
        if parts.scheme in {"http", "https"} and parts.netloc == host:
            return
    raise AuthError(403, "wrong-origin", "pages of that Origin may not call this server")


def without_port(host: str) -> str:
    """Return a host without its port; of an IPv6 address the brackets stay."""
    name, colon, port = host.rpartition(":")
    return name if colon and port.isdigit() else host


def is_loopback_host(host: str) -> bool:
    """Tell whether a host, with or without a port, is this machine."""
    return without_port(host.lower()) in LOOPBACK
