"""Who needs whom among the installed distributions."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from importlib import metadata

from dependency_review.package import canonical_name
from dependency_review.requirement import (
    NotARequirementError,
    Requirement,
    applies,
    parse_requirement,
)


@dataclass(frozen=True, kw_only=True)
class Graph:
    """Requirements of each distribution (normalised name), in one marker environment."""

    requirements: Mapping[str, list[Requirement]]
    environment: Mapping[str, str]

    @classmethod
    def of(
        cls, found: Mapping[str, metadata.Distribution], environment: Mapping[str, str]
    ) -> Graph:
        """Read the requirements of every distribution; lines that cannot be read are left out."""
        return cls(
            requirements={name: _read(d) for name, d in found.items()}, environment=environment
        )

    def needs(self, name: str, extras: Iterable[str] = ()) -> list[Requirement]:
        """What a distribution needs here, with the given extras switched on."""
        environments = [{**self.environment, "extra": e} for e in ("", *extras)]
        return [
            r
            for r in self.requirements.get(name, ())
            if any(applies(r.marker, e) for e in environments)
        ]

    def closure(self, wanted: Mapping[str, Iterable[str]]) -> set[str]:
        """The wanted names (with their extras) and everything they need, installed or not."""
        seen: set[tuple[str, tuple[str, ...]]] = set()
        todo = [(name, tuple(sorted(extras))) for name, extras in wanted.items()]
        while todo:
            name, extras = todo.pop()
            if (name, extras) in seen:
                continue
            seen.add((name, extras))
            todo += [
                (canonical_name(r.name), tuple(sorted(r.extras))) for r in self.needs(name, extras)
            ]
        return {name for name, _ in seen}

    def required_by(self, name: str) -> list[str]:
        """Which installed distributions need this one without any extra."""
        return sorted(
            o
            for o in self.requirements
            if o != name and any(canonical_name(r.name) == name for r in self.needs(o))
        )

    def missing(self, name: str) -> list[str]:
        """What it always needs here and is not installed."""
        wanted = {canonical_name(r.name) for r in self.needs(name)}
        return sorted(wanted - self.requirements.keys())

    def cycle(self, name: str) -> list[str]:
        """The shortest way from a distribution back to itself; empty when there is none."""
        frontier = [[name]]
        seen: set[str] = set()
        while frontier:
            path = frontier.pop(0)
            for need in sorted({canonical_name(r.name) for r in self.needs(path[-1])}):
                if need == name:
                    return [*path, name]
                if need not in seen:
                    seen.add(need)
                    frontier.append([*path, need])
        return []


def _read(distribution: metadata.Distribution) -> list[Requirement]:
    parsed = []
    try:
        lines = distribution.requires or []
    except (OSError, UnicodeDecodeError):
        return []
    for line in lines:
        try:
            parsed.append(parse_requirement(line))
        except NotARequirementError:
            continue
    return parsed
