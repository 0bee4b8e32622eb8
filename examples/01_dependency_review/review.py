"""What the run gathers about one distribution, from any mix of finished and failed tasks."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from dependency_review.package import Package
from dependency_review.profile import SEVERITIES


@dataclass(kw_only=True)
class Review:
    """One distribution's findings by agent, errors by agent, its profile and its paragraph."""

    name: str
    version: str
    about: str = ""
    findings: dict[str, dict[str, Any]] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    profile: dict[str, Any] | None = None
    summary: str | None = None

    @classmethod
    def of(cls, package: Package) -> Review:
        """Start a review without findings."""
        return cls(
            name=package.name,
            version=package.version or "unknown",
            about=package.header("summary") or "",
        )

    @property
    def verdict(self) -> str:
        """The profile's verdict; 'unknown' without a profile."""
        return str(self.profile["verdict"]) if self.profile else "unknown"

    @property
    def attention(self) -> list[dict[str, Any]]:
        """What deserves attention, worst first."""
        return list(self.profile["attention"]) if self.profile else []

    @property
    def unknowns(self) -> list[dict[str, str]]:
        """What could not be known; a missing profile is one of them."""
        known = list(self.profile["unknowns"]) if self.profile else []
        missing = (
            []
            if self.profile
            else [{"agent": "profile", "what": self.errors.get("profile", "no profile was made")}]
        )
        return known + missing

    @property
    def score(self) -> int | None:
        """0 to 100, None when too little is known."""
        return self.profile["score"] if self.profile else None

    @property
    def rank(self) -> tuple[int, int, str]:
        """Sort key: worst first. What nothing is known about comes before what is fine."""
        counts = [sum(a["severity"] == s for a in self.attention) for s in SEVERITIES]
        place = {"act": 0, "unknown": 1, "look": 2, "fine": 3}[self.verdict]
        return place, self.score if self.score is not None else -counts[0], self.name.lower()
