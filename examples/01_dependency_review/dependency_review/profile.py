"""The join: one verdict on a distribution from whatever findings arrived."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from types import MappingProxyType
from typing import Any, Literal

from pydantic import Field, ValidationError

from dependency_review import attention
from dependency_review.api_surface import ApiSurfaceFinding
from dependency_review.attention import Attention
from dependency_review.dependencies import DependenciesFinding
from dependency_review.installation import InstallationFinding
from dependency_review.licence import LicenceFinding
from dependency_review.maintenance import MaintenanceFinding
from dependency_review.package import Finding, Frozen
from dependency_review.readme import ReadmeFinding
from dependency_review.risk import RiskFinding
from sqswarm import agent

Verdict = Literal["act", "look", "fine", "unknown"]
SEVERITIES = ("high", "medium", "low")
# Points off a hundred; many small things never weigh as much as one that needs action.
POINTS = MappingProxyType({"high": 35, "medium": 12, "low": 2})
MAX_LOW_POINTS = 10

# Each enrichment agent: the shape of its finding, and what in it deserves attention.
JOINED: MappingProxyType[str, tuple[type[Finding], Callable[[Any], Iterator[Attention]]]] = (
    MappingProxyType(
        {
            "licence": (LicenceFinding, attention.of_licence),
            "risk": (RiskFinding, attention.of_risk),
            "installation": (InstallationFinding, attention.of_installation),
            "maintenance": (MaintenanceFinding, attention.of_maintenance),
            "dependencies": (DependenciesFinding, attention.of_dependencies),
            "api_surface": (ApiSurfaceFinding, attention.of_api_surface),
            "readme": (ReadmeFinding, attention.of_readme),
        }
    )
)


ABSENT = Attention(
    severity="medium",
    agent="profile",
    title="Named, but not installed here",
    why="Nothing about it could be read.",
    evidence=[],
    what_to_do="Install it, then review again.",
)


class Unknown(Frozen):
    """Something that could not be known, and by which agent."""

    agent: str
    what: str


class Profile(Frozen):
    """The verdict: 'act' (something is severe), 'look', 'fine' or 'unknown' (too little known)."""

    name: str
    version: str
    verdict: Verdict
    score: int | None
    score_explanation: list[str] = Field(default_factory=list)
    attention: list[Attention] = Field(default_factory=list)
    unknowns: list[Unknown] = Field(default_factory=list)


@agent(max_attempts=3, timeout=20, concurrency=4, memory=256)
def profile(name: str, version: str, findings: dict[str, Any]) -> Profile:
    """Join a distribution's findings into one verdict: what deserves attention and why.

    `findings` maps an agent's name to its result; a missing, null or broken one becomes an unknown.
    """
    return join(name, version, findings)


def join(name: str, version: str, findings: dict[str, Any]) -> Profile:
    """Judge what arrived and name what did not."""
    items: list[Attention] = []
    unknowns: list[Unknown] = []
    understood = 0
    for agent_name, (shape, judge) in JOINED.items():
        value = findings.get(agent_name)
        if not isinstance(value, dict) or "error" in value:
            reason = value["error"] if isinstance(value, dict) else "no finding arrived"
            unknowns.append(Unknown(agent=agent_name, what=f"everything: {_short(reason)}"))
            continue
        try:
            found = shape.model_validate(value)
        except ValidationError as error:
            unknowns.append(
                Unknown(
                    agent=agent_name,
                    what=f"everything: its finding is malformed ({error.error_count()} errors)",
                )
            )
            continue
        understood += 1
        items += judge(found)
        unknowns += [Unknown(agent=agent_name, what=what) for what in found.unknowns]
    items.sort(key=lambda item: SEVERITIES.index(item.severity))
    if any("not installed" in unknown.what for unknown in unknowns):
        items = [ABSENT]  # nothing else that was concluded rests on anything
    if not understood or any("not installed" in u.what for u in unknowns):
        return Profile(
            name=name,
            version=version,
            verdict="unknown",
            score=None,
            unknowns=unknowns,
            attention=items,
            score_explanation=["no score: too little is known"],
        )
    score, explanation = _score(items)
    worst = items[0].severity if items else None
    verdict: Verdict = "act" if worst == "high" else "look" if worst == "medium" else "fine"
    return Profile(
        name=name,
        version=version,
        verdict=verdict,
        score=score,
        score_explanation=explanation,
        attention=items,
        unknowns=unknowns,
    )


def _score(items: list[Attention]) -> tuple[int, list[str]]:
    explanation = [f"-{POINTS[i.severity]} {i.title}" for i in items if i.severity != "low"]
    points = sum(POINTS[i.severity] for i in items if i.severity != "low")
    low = sum(i.severity == "low" for i in items)
    if low:
        low_points = min(MAX_LOW_POINTS, low * POINTS["low"])
        points += low_points
        explanation.append(f"-{low_points} {low} minor thing{'s' if low > 1 else ''}")
    return max(0, 100 - points), ["100 to start with", *explanation]


def _short(reason: object) -> str:
    if isinstance(reason, dict):
        reason = f"{reason.get('type', 'error')}: {reason.get('message', '')}"
    return str(reason)[:200]
