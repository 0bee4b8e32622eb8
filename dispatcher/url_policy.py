"""UrlPolicy: which addresses may be called on somebody else's word.

A URL may come from a task's arguments, that is from anybody. Unguarded, it would let them read
what only this process can reach: the cloud's metadata service, a database in the same network.
"""

from __future__ import annotations

import asyncio
import ipaddress
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from sqswarm.schemas.errors import UsageError
from sqswarm.schemas.settings import LOOPBACK_HOSTS, Settings

ALLOW_VARIABLE = "SQSWARM_MCP_ALLOW"
"""Comma-separated: `host`, `host:port`, `*.domain` or a network such as `10.1.0.0/16`."""

_UNICAST = ipaddress.ip_network("2000::/3")
"""Source: IANA, Internet Protocol Version 6 Address Space: all that is given to anybody.

Without it: loopback, `::a.b.c.d`, `64:ff9b:1::/48`, `fec0::/10` and whatever a version of Python
takes for public.
"""

_NOT_PUBLIC = tuple(
    map(
        ipaddress.ip_network,
        (
            *("192.0.0.0/24", "192.88.99.0/24", "198.18.0.0/15", "240.0.0.0/4"),
            *("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20"),
        ),
    )
)
"""What `is_global` of one Python or another lets through.

Protocol assignments (192.0.0.192 is a cloud's metadata service), 6to4 and Teredo, which hold IPv4
addresses, benchmarks and documentation. Source: IANA's registries of special-purpose addresses.
"""

_NAT64 = ipaddress.ip_network("64:ff9b::/96")
"""Source: RFC 6052, the well-known prefix of IPv4 addresses within IPv6."""

_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class AddressRefused(UsageError):
    """The address is not one that may be called from here."""

    hint = (
        f"Public https addresses may be called. To allow another, name it in {ALLOW_VARIABLE}, in "
        "the agent's declaration: @agent(env={...})."
    )


@dataclass(frozen=True, kw_only=True)
class UrlPolicy:
    """What may be called: public https addresses, and what `allowed` names.

    `loopback` is for emulators, whose servers are on this machine.
    """

    allowed: frozenset[str] = frozenset()
    loopback: bool = False

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> UrlPolicy:
        """Return what the environment says."""
        names = (name.strip().lower() for name in env.get(ALLOW_VARIABLE, "").split(","))
        return cls(
            allowed=frozenset(name for name in names if name),
            loopback=Settings.from_env(env).local,
        )

    def trusts(self, url: str) -> bool:
        """Tell whether secrets may go there: to hosts that are named, and beside an emulator."""
        host, _ = _parts(url)
        return self.names(url) or (self.loopback and host in LOOPBACK_HOSTS)

    def names(self, url: str) -> bool:
        """Tell whether the URL's host is one that `allowed` names."""
        host, port = _parts(url)
        if host in self.allowed or f"{host}:{port}" in self.allowed:
            return True
        return any(name.startswith("*.") and host.endswith(name[1:]) for name in self.allowed)

    async def resolve(self, url: str) -> str:
        """Return the address to connect to for `url`.

        The one that was checked, so that a second look-up cannot give another (DNS rebinding).
        Raises AddressRefused; OSError where the name does not resolve.
        """
        host, port = _parts(url)
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        addresses = [ipaddress.ip_address(str(entry[4][0]).partition("%")[0]) for entry in found]
        trusted = self.names(url)
        for address in addresses:
            self._check(url, address, trusted=trusted)
        return str(addresses[0])

    def _check(self, url: str, address: _Address, *, trusted: bool) -> None:
        plain = _inner(address)
        if trusted or self._in_network(plain) or (self.loopback and plain.is_loopback):
            return
        if not _is_public(plain):
            message = f"{url} leads to {address}, which is not public"
            raise AddressRefused(message)
        if urlsplit(url).scheme != "https":
            message = f"{url} is not https"
            raise AddressRefused(message)

    def _in_network(self, address: _Address) -> bool:
        return any(
            address in ipaddress.ip_network(name, strict=False)
            for name in self.allowed
            if "/" in name
        )


def _inner(address: _Address) -> _Address:
    """Return the IPv4 address that an IPv6 one stands for, else the address itself."""
    if isinstance(address, ipaddress.IPv6Address):
        if address in _NAT64:
            return ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
        return address.ipv4_mapped or address
    return address


def _is_public(address: _Address) -> bool:
    known = isinstance(address, ipaddress.IPv4Address) or address in _UNICAST
    special = address.is_multicast or any(address in network for network in _NOT_PUBLIC)
    return known and address.is_global and not special


def _parts(url: str) -> tuple[str, int]:
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        message = f"{url!r} is no address: {error}"
        raise AddressRefused(message) from error
    if parts.scheme not in {"http", "https"} or not parts.hostname or parts.username is not None:
        message = f"{url!r} is no http(s) address without a user name"
        raise AddressRefused(message)
    return parts.hostname.lower(), port or (443 if parts.scheme == "https" else 80)
