"""What a distribution asks for: how many, how tightly, and whether the environment has it."""

from __future__ import annotations

from collections.abc import Iterable

from pydantic import Field

from dependency_review.package import Finding, Package, canonical_name
from dependency_review.requirement import NotARequirementError, Requirement, parse_requirement
from sqswarm import agent


class DependenciesFinding(Finding):
    """Counts are of requirements that are always needed, unless the name says optional."""

    required: list[str] = Field(default_factory=list)
    required_count: int = 0
    optional_count: int = 0
    extras: list[str] = Field(default_factory=list)
    pinned: list[str] = Field(default_factory=list)
    unbounded: list[str] = Field(default_factory=list)
    upper_bounded: list[str] = Field(default_factory=list)
    with_marker_count: int = 0
    direct_urls: list[str] = Field(default_factory=list)
    malformed: list[str] = Field(default_factory=list)
    depends_on_itself: bool = False
    cycle: list[str] = Field(default_factory=list)
    required_by: list[str] = Field(default_factory=list)
    missing: list[str] = Field(default_factory=list)


@agent(max_attempts=3, timeout=20, concurrency=4, topics=["packages"], memory=256)
def dependencies(package: Package) -> DependenciesFinding:
    """Review a distribution's declared requirements.

    Counts pins, bounds, markers and direct URLs; names self and circular dependencies.
    """
    return find_dependencies(package)


def find_dependencies(package: Package) -> DependenciesFinding:
    """Sort the Requires-Dist lines by how they bind their users."""
    parsed: list[Requirement] = []
    malformed: list[str] = []
    for line in package.header_all("requires-dist"):
        try:
            parsed.append(parse_requirement(line))
        except NotARequirementError:
            malformed.append(line[:200])
    always = [r for r in parsed if r.extra is None]
    own = canonical_name(package.name)
    unknowns = [] if package.installed else ["not installed, so its requirements could not be read"]
    if malformed:
        unknowns.append(f"{len(malformed)} requirement lines could not be read")
    return DependenciesFinding(
        required=sorted({r.name for r in always}, key=str.lower),
        required_count=len({canonical_name(r.name) for r in always}),
        optional_count=len({canonical_name(r.name) for r in parsed if r.extra} - {own}),
        extras=sorted(package.header_all("provides-extra")),
        pinned=_names(r for r in always if r.is_pinned),
        unbounded=_names(r for r in always if not r.clauses and not r.url),
        upper_bounded=_names(r for r in always if r.is_upper_bounded and not r.is_pinned),
        with_marker_count=sum(bool(r.marker) for r in always),
        direct_urls=[f"{r.name} @ {r.url}" for r in parsed if r.url],
        malformed=malformed,
        # An extra that names the package's other extras (`all = ["pkg[a,b]"]`) is usual.
        depends_on_itself=any(canonical_name(r.name) == own for r in always),
        cycle=package.environment.cycle,
        required_by=package.environment.required_by,
        missing=package.environment.missing,
        unknowns=unknowns,
    )


def _names(requirements: Iterable[Requirement]) -> list[str]:
    """Unique names in the order of the alphabet."""
    return sorted({r.name for r in requirements}, key=str.lower)
