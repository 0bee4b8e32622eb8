"""Loopback: nobody shows credentials, and only this machine may call."""

from __future__ import annotations

import ipaddress

from sqswarm.dispatcher.server.auth.authenticator import Scope
from sqswarm.dispatcher.server.auth.errors import AuthError
from sqswarm.dispatcher.server.auth.scopes import USER
from sqswarm.dispatcher.server.identity import Identity

PRINCIPAL = "local"


class Loopback:
    """Everybody on this machine is the principal `local`."""

    challenge = None

    async def authenticate(self, scope: Scope) -> Identity:
        """Return `local`; raises AuthError (403) for a client that is not on this machine."""
        address, _ = scope.get("client") or ("", 0)
        try:
            local = ipaddress.ip_address(address).is_loopback
        except ValueError:
            local = False
        if not local:
            detail = "without authentication this server is for its own machine only"
            raise AuthError(403, "not-local", detail)
        return Identity(principal=PRINCIPAL, scopes=USER)
