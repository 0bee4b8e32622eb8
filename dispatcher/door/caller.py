"""Who calls: what the access check found out about one request."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True)
class Caller:
    """One authenticated caller. `principal` owns the tasks; an `operator` sees everybody's.

    `scopes` are the OAuth scopes that were granted.
    """

    principal: str
    operator: bool = False
    scopes: frozenset[str] = frozenset()


def caller_of(scope_or_request: Mapping[str, Any]) -> Caller:
    """Return who calls, from an ASGI scope or a Starlette request (which reads like its scope).

    Raises LookupError where no access check has seen the request: nobody is let in by accident.
    """
    caller = scope_or_request.get("state", {}).get("caller")
    if not isinstance(caller, Caller):
        message = "no access check has seen this request: wrap the application in Guard"
        raise LookupError(message)  # noqa: TRY004 - it is missing, not mistyped
    return caller
