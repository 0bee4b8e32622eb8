"""Refusals: why a request may not come in."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(eq=False)
class AuthError(Exception):
    """One refusal. `reason` is the log's short word, `detail` a sentence for the caller.

    `error` is OAuth's word for it (RFC 6750 §3.1), None where no credentials were shown at all.
    None of them ever holds anything of what was shown. `fault` is for the log alone.
    """

    status: int
    reason: str
    detail: str
    error: str | None = None
    scope: str | None = None
    retry_after_s: int | None = None
    fault: str | None = None


def not_shown(needed: str) -> AuthError:
    """Return the refusal of a request without credentials (RFC 6750 §3.1: no error word)."""
    return AuthError(401, "no-credentials", f"credentials are needed: {needed}")


def invalid(reason: str, detail: str) -> AuthError:
    """Return the refusal of credentials that are not good."""
    return AuthError(401, reason, detail, error="invalid_token")
