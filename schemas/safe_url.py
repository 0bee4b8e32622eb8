"""Safe URLs: addresses that came from outside may not lead inside (server-side request forgery).

`check_url` looks at the text, `check_address` at what its name resolved to: both are needed, and
the connection must be made to the address that was checked, for a name may change its mind.
Source: OWASP, "Server-Side Request Forgery Prevention Cheat Sheet".
"""

from __future__ import annotations

import ipaddress
import re
from urllib.parse import urlsplit

from schemas.errors import UsageError

_PORTS = frozenset({443, 8443})
_INSIDE = (".localhost", ".local", ".internal", ".localdomain", ".home.arpa", ".onion")
_NAME = re.compile(
    r"^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+$"
)
_NUMBERS = re.compile(r"^(?:0x[0-9a-f]+|\d+)(?:\.(?:0x[0-9a-f]+|\d+))*$")
_NAT64 = ipaddress.ip_network("64:ff9b::/96")


class UnsafeUrl(UsageError):
    """An address that a task's arguments gave leads, or may lead, into our own network."""

    hint = "Use a public https address, or declare the server in the agent itself."


def check_url(url: str) -> tuple[str, int]:
    """Return the host and port of a public https address; raises UnsafeUrl for any other.

    A host that is a number is refused unless it is a plain public address: resolvers also take
    `127.1`, `2130706433` and `0x7f000001`.
    """
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").rstrip("."), parts.port or 443
    except ValueError as error:
        message = f"{url!r} is no address: {error}"
        raise UnsafeUrl(message) from error
    if parts.scheme != "https" or not host:
        message = f"{url!r} is no https address"
        raise UnsafeUrl(message)
    if parts.username is not None or parts.password is not None:
        message = "an address does not carry a password"
        raise UnsafeUrl(message)
    if port not in _PORTS:
        message = f"port {port} is none that a server outside answers at"
        raise UnsafeUrl(message)
    try:
        ipaddress.ip_address(host)
    except ValueError:
        if _NUMBERS.match(host) or not _NAME.match(host) or f".{host}".endswith(_INSIDE):
            message = f"{host!r} is no public name"
            raise UnsafeUrl(message) from None
    else:
        check_address(host)
    return host, port


def check_address(address: str) -> None:
    """Raise UnsafeUrl for an IP address that is not a public one."""
    try:
        ip = ipaddress.ip_address(address.partition("%")[0])
    except ValueError as error:
        message = f"{address!r} is no IP address"
        raise UnsafeUrl(message) from error
    inner: ipaddress.IPv4Address | ipaddress.IPv6Address = ip
    if isinstance(ip, ipaddress.IPv6Address):
        if ip.ipv4_mapped is not None:
            inner = ip.ipv4_mapped
        elif ip.sixtofour is not None:
            inner = ip.sixtofour
        elif ip in _NAT64:
            inner = ipaddress.IPv4Address(int(ip) & 0xFFFFFFFF)
    if not inner.is_global or inner.is_multicast or inner.is_reserved:
        message = f"{address} is not a public address"
        raise UnsafeUrl(message)
