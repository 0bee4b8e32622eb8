"""The join: one verdict on a distribution from whatever findings arrived."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ValidationError

from dependency_review.package import Attention, Finding, attention
from sqswarm import agent

Verdict = Literal["act", "look", "fine", "unknown"]
SEVERITIES = ("high", "medium", "low")
# Points off a hundred; many small things never weigh as much as one that needs action.
HIGH_POINTS, MEDIUM_POINTS, LOW_POINTS, MAX_LOW_POINTS = 35, 12, 2, 10


class Item(Attention):
    """One thing to look at, and the agent that found it."""

    agent: str


class Unknown(BaseModel):
    """Something that could not be known, and by which agent."""

    agent: str
    what: str


class Profile(BaseModel):
    """The verdict: 'act' (something is severe), 'look', 'fine' or 'unknown' (too little known)."""

    verdict: Verdict = "unknown"
    score: int | None = None
    score_explanation: list[str] = ["no score: too little is known"]
    attention: list[Item] = []
    unknowns: list[Unknown] = []


@agent(max_attempts=3, timeout=20, concurrency=4, memory=256)
def profile(package: str, findings: dict[str, Any], *, installed: bool = True) -> Profile:
    """Join a distribution's findings into one verdict: what deserves attention and why.

    `findings` maps an agent's name to its result, or to `{"error": why}` where there is none.
    """
    items: list[Item] = []
    unknowns: list[Unknown] = []
    for source, value in findings.items():
        try:
            found = Finding.model_validate(value)
        except ValidationError:
            found = Finding(unknowns=["everything: its finding is malformed"])
        if isinstance(value, dict) and "error" in value:
            found = Finding(unknowns=[f"everything: {value['error']}"[:200]])
        items += [Item(agent=source, **item.model_dump()) for item in found.attention]
        unknowns += [Unknown(agent=source, what=what) for what in found.unknowns]
    failed = {unknown.agent for unknown in unknowns if unknown.what.startswith("everything")}
    if not installed:  # nothing else that was concluded rests on anything
        items = [Item(agent="profile", **attention("absent", package).model_dump())]
    if not installed or not findings.keys() - failed:
        return Profile(attention=items, unknowns=unknowns)
    items.sort(key=lambda item: SEVERITIES.index(item.severity))
    verdicts: dict[str, Verdict] = {"high": "act", "medium": "look", "low": "fine"}
    score, explanation = _score(items)
    return Profile(
        verdict=verdicts[items[0].severity] if items else "fine",
        score=score,
        score_explanation=explanation,
        attention=items,
        unknowns=unknowns,
    )


def _score(items: list[Item]) -> tuple[int, list[str]]:
    points = {"high": HIGH_POINTS, "medium": MEDIUM_POINTS}
    lost = [(points[i.severity], i.title) for i in items if i.severity in points]
    if low := len(items) - len(lost):
        lost.append((min(MAX_LOW_POINTS, LOW_POINTS * low), f"{low} minor things"))
    explanation = ["100 to start with", *(f"-{cost} {title}" for cost, title in lost)]
    return max(0, 100 - sum(cost for cost, _ in lost)), explanation
