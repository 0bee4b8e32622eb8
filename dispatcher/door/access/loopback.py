"""Loopback: nobody shows credentials, and only this machine may call."""

from __future__ import annotations

import ipaddress

from dispatcher.door.access.authenticator import Scope
from dispatcher.door.access.refusal import Refusal
from dispatcher.door.access.scopes import USER
from dispatcher.door.caller import Caller

PRINCIPAL = "local"


class Loopback:
    """Everybody on this machine is the principal `local`."""

    challenge = None

    async def authenticate(self, scope: Scope) -> Caller:
        """Return `local`; raises Refusal (403) for a client that is not on this machine."""
        address, _ = scope.get("client") or ("", 0)
        try:
            local = ipaddress.ip_address(address).is_loopback
        except ValueError:
            local = False
        if not local:
            detail = "without authentication this door is for its own machine only"
            raise Refusal(403, "not-local", detail)
        return Caller(principal=PRINCIPAL, scopes=USER)
