"""Findings: what `sqswarm doctor` says of one thing."""

from __future__ import annotations

from dataclasses import dataclass

from sqswarm.schemas.errors import SwarmError


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line of the doctor's: `verdict` is ok, warn or fail."""

    what: str
    verdict: str
    found: str
    fix: str | None = None
    exit_code: int = 1


def ok(what: str, found: str) -> Finding:
    """Return that a thing is as it should be."""
    return Finding(what=what, verdict="ok", found=found)


def failed(what: str, error: SwarmError) -> Finding:
    """Return that a thing could not be asked, or is wrong, in the error's own words."""
    return Finding(
        what=what, verdict="fail", found=str(error), fix=error.hint, exit_code=error.exit_code
    )
