"""What a distribution asks for: how many, how tightly, and whether the environment has it."""

from __future__ import annotations

from collections.abc import Iterable

from packaging.requirements import InvalidRequirement, Requirement

from dependency_review.package import Finding, Package, attention
from sqswarm import agent


class DependenciesFinding(Finding):
    """Requirements that are always needed (not those of an extra), by how they bind."""

    required: list[str] = []
    extras: list[str] = []
    pinned: list[str] = []
    upper_bounded: list[str] = []
    unbounded: list[str] = []
    direct_urls: list[str] = []
    cycle: list[str] = []
    required_by: list[str] = []
    missing: list[str] = []


@agent(max_attempts=3, timeout=20, concurrency=4, topics=["packages"], memory=256)
def dependencies(package: Package) -> DependenciesFinding:
    """Review a distribution's requirements: pins, bounds, direct addresses, cycles, missing."""
    parsed, malformed = parse(package.header_all("requires-dist"))
    always = [r for r in parsed if "extra ==" not in str(r.marker)]
    pinned = [r for r in always if _has(r, "==", "===")]
    urls = [f"{r.name} @ {r.url}" for r in parsed if r.url]
    checks = {
        "missing requirement": package.missing,
        "direct requirement": urls,
        "malformed requirement": malformed,
        "pinned": _names(pinned),
        "cycle": [" → ".join(package.cycle)] if package.cycle else [],
    }
    return DependenciesFinding(
        required=_names(always),
        extras=sorted(package.header_all("provides-extra")),
        pinned=_names(pinned),
        upper_bounded=_names(r for r in always if _has(r, "<", "<=", "~=") and r not in pinned),
        unbounded=_names(r for r in always if not r.specifier and not r.url),
        direct_urls=urls,
        cycle=package.cycle,
        required_by=package.required_by,
        missing=package.missing,
        attention=[
            attention(key, ", ".join(found[:5]), evidence=found)
            for key, found in checks.items()
            if found
        ],
        unknowns=[] if package.installed else ["not installed, so its requirements are unknown"],
    )


def parse(lines: Iterable[str]) -> tuple[list[Requirement], list[str]]:
    """Parse requirement lines; return those that can be read and those that cannot."""
    parsed, malformed = [], []
    for line in lines:
        try:
            parsed.append(Requirement(line))
        except InvalidRequirement:
            malformed.append(line[:200])
    return parsed, malformed


def _has(requirement: Requirement, *operators: str) -> bool:
    """Whether a clause has one of the operators; `==1.*` binds like `~=1.0`."""
    return any(
        ("~=" if s.version.endswith(".*") and s.operator == "==" else s.operator) in operators
        for s in requirement.specifier
    )


def _names(requirements: Iterable[Requirement]) -> list[str]:
    return sorted({r.name for r in requirements}, key=str.lower)
