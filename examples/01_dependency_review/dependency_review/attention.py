"""From findings to what deserves a reviewer's attention: one small function per agent's finding."""

from __future__ import annotations

from collections.abc import Iterator

from dependency_review.api_surface import ApiSurfaceFinding
from dependency_review.dependencies import DependenciesFinding
from dependency_review.installation import InstallationFinding
from dependency_review.licence import LicenceFinding
from dependency_review.maintenance import MaintenanceFinding
from dependency_review.package import Frozen, Severity
from dependency_review.readme import ReadmeFinding
from dependency_review.risk import RiskFinding, RiskyPattern

POOR_README = 50
MANY_VENDORED = 1


class Attention(Frozen):
    """One thing to look at: what, why it matters, the proof, and what to do."""

    severity: Severity
    agent: str
    title: str
    why: str
    evidence: list[str]
    what_to_do: str


def of_licence(found: LicenceFinding) -> Iterator[Attention]:
    """Obligations, contradictions and gaps."""
    proof = [f"{e.source}: {e.says}" for e in found.evidence]
    name = found.spdx or " / ".join(found.candidates) or "unknown"
    if found.category == "proprietary":
        yield _licence(
            "high",
            f"Restrictive licence: {name}",
            "Its use is limited beyond open source terms.",
            proof,
            "Read the terms with whoever answers for licences before you use it.",
        )
    elif found.category == "strong copyleft":
        yield _licence(
            "high",
            f"Strong copyleft: {name}",
            "Software you distribute with it may have to come under the same licence.",
            proof,
            "Check how you distribute, or find an alternative.",
        )
    elif found.category == "weak copyleft":
        yield _licence(
            "low",
            f"Weak copyleft: {name}",
            "Changes to its own files must be published when you distribute them.",
            proof,
            "Fine as it is; keep your changes apart.",
        )
    elif found.category == "unknown" and found.candidates:
        yield _licence(
            "medium",
            "Licence not clear: the sources name several kinds",
            f"It may be any or all of {', '.join(found.candidates)}.",
            proof,
            "Find out which part comes under which licence.",
        )
    elif found.category == "unknown":
        yield _licence(
            "medium",
            f"Licence unknown: {name}" if found.spdx else "Licence unknown",
            "Without a licence you have no right to use it.",
            proof or [found.reason],
            "Ask the authors or look into the repository.",
        )
    elif found.spdx is None:
        yield _licence(
            "low",
            f"Licence not exact: {name}",
            "The sources do not say whether all or any of them apply.",
            proof,
            "Any of them is permissive; name all in your notices.",
        )
    yield from _licence_notes(found, proof)


def _licence_notes(found: LicenceFinding, proof: list[str]) -> Iterator[Attention]:
    """Contradictions, and texts that are missing or say more than is declared."""
    for conflict in found.conflicts:
        yield _licence(
            "medium",
            "Licence sources contradict one another",
            conflict,
            proof,
            "Ask the authors which one holds.",
        )
    for note in found.notes:
        if "asks for more" in note:
            yield _licence(
                "medium",
                "The licence file goes beyond what is declared",
                note,
                proof,
                "Find out which part of the package it covers.",
            )
        elif note in {"no licence text is shipped", "the licence file is empty"} and found.spdx:
            yield _licence(
                "low",
                _sentence(note),
                "Most licences ask for their text to be passed on.",
                [],
                "Take the text from the repository for your notices.",
            )


def _licence(severity: Severity, title: str, why: str, evidence: list[str], todo: str) -> Attention:
    return Attention(
        severity=severity,
        agent="licence",
        title=title,
        why=why,
        evidence=evidence[:6],
        what_to_do=todo,
    )


def of_risk(found: RiskFinding) -> Iterator[Attention]:
    """Each high or medium pattern by itself; the low ones together."""
    low: list[RiskyPattern] = []
    for pattern in found.patterns:
        # A pattern that is only in a vendored copy is the copied project's: one step lower.
        severity = (
            pattern.severity if pattern.count else {"high": "medium"}.get(pattern.severity, "low")
        )
        if severity == "low":
            low.append(pattern)
            continue
        yield Attention(
            severity="high" if severity == "high" else "medium",
            agent="risk",
            title=_sentence(pattern.title + _where(pattern)),
            why="Found in the source; whether dangerous input reaches it is for you to judge.",
            evidence=_places(pattern),
            what_to_do=pattern.advice,
        )
    if low:
        yield Attention(
            severity="low",
            agent="risk",
            title=_sentence("; ".join(f"{p.title}{_where(p)}" for p in low)),
            why="Normal in many tools, dangerous with input from others.",
            evidence=[place for p in low for place in _places(p)[:2]],
            what_to_do=low[0].advice
            if len(low) == 1
            else "Check that none of it gets untrusted input.",
        )


def _sentence(text: str) -> str:
    return text[0].upper() + text[1:]


def _where(pattern: RiskyPattern) -> str:
    total = pattern.count + pattern.vendored_count
    times = "" if total == 1 else f" (in {total} places)"
    return times if pattern.count else f"{times}, only in vendored code"


def _places(pattern: RiskyPattern) -> list[str]:
    return [f"{e.path}:{e.line}: {e.snippet}" for e in pattern.examples]


def of_installation(found: InstallationFinding) -> Iterator[Attention]:
    """What it does to the environment as a whole."""
    if found.start_up_hooks:
        yield Attention(
            # An editable installation works by such a hook: no surprise to whoever made it.
            severity="low" if found.editable_or_local else "medium",
            agent="installation",
            title="Runs code at every start of Python",
            why="A .pth file is executed even when nothing imports the package.",
            evidence=[f"{h.path}: {h.code}" for h in found.start_up_hooks],
            what_to_do="Read the line and what it imports.",
        )
    if found.shadowed_commands:
        yield Attention(
            severity="high",
            agent="installation",
            title=f"Replaces system commands: {', '.join(found.shadowed_commands)}",
            why="In an activated environment its commands come before the system's.",
            evidence=[f"console scripts: {', '.join(found.console_scripts)}"],
            what_to_do="Call the system's by full path, or do without it.",
        )
    if found.common_top_level_names:
        yield Attention(
            severity="medium",
            agent="installation",
            title=f"Installs common top-level names: {', '.join(found.common_top_level_names)}",
            why="It may hide or overwrite something else of that name.",
            evidence=[],
            what_to_do="Check `python -c 'import NAME; print(NAME.__file__)'`.",
        )
    if found.missing_files:
        yield Attention(
            severity="low",
            agent="installation",
            title=f"{found.missing_files} recorded files are not there",
            why="The installation was changed after it was made.",
            evidence=[],
            what_to_do="Install it again.",
        )
    if found.direct_url:
        yield Attention(
            severity="low",
            agent="installation",
            title="Not installed from an index",
            why="Index checks such as yanked releases and advisories do not cover it.",
            evidence=[found.direct_url],
            what_to_do="Know who can change that address.",
        )


def of_maintenance(found: MaintenanceFinding) -> Iterator[Attention]:
    """Signs that nobody looks after it, and Pythons it shuts out."""
    if found.abandonment_signs:
        yield Attention(
            severity="medium",
            agent="maintenance",
            title="Shows signs of being abandoned",
            why="Nobody may mend a security problem.",
            evidence=found.abandonment_signs,
            what_to_do="Look for a successor.",
        )
    if found.shuts_out_running_python:
        yield Attention(
            severity="high",
            agent="maintenance",
            title="Does not support the Python it is installed in",
            why=f"Requires-Python is {found.requires_python!r}.",
            evidence=[],
            what_to_do="Install a version that fits.",
        )
    if found.metadata_problems:
        yield Attention(
            severity="medium" if any("version" in p for p in found.metadata_problems) else "low",
            agent="maintenance",
            title="Metadata is incomplete",
            why="Tools that look for updates and advisories need it.",
            evidence=found.metadata_problems,
            what_to_do="Install it again; if that does not help, tell the authors.",
        )
    if found.metadata_version and not (found.repository or found.homepage):
        yield Attention(
            severity="low",
            agent="maintenance",
            title="No link to its repository or homepage",
            why="You cannot see who changes it, nor report a problem.",
            evidence=[],
            what_to_do="Find its source before you rely on it.",
        )


def of_dependencies(found: DependenciesFinding) -> Iterator[Attention]:
    """Requirements that are missing, that bind hard or that bypass the index."""
    if found.missing:
        yield Attention(
            severity="medium",
            agent="dependencies",
            title=f"Needs what is not installed: {', '.join(found.missing)}",
            why="It may fail when that part is used.",
            evidence=[],
            what_to_do="Install them, or run `pip check`.",
        )
    if found.direct_urls:
        yield Attention(
            severity="medium",
            agent="dependencies",
            title="Requires distributions by direct address",
            why="What is behind an address can change, and no index checks it.",
            evidence=found.direct_urls,
            what_to_do="Pin to a commit, or ask for a release.",
        )
    if found.malformed:
        yield Attention(
            severity="low",
            agent="dependencies",
            title="Has requirements that cannot be read",
            why="Installers may ignore or refuse them.",
            evidence=found.malformed[:5],
            what_to_do="Tell the authors.",
        )
    if found.pinned:
        yield Attention(
            severity="low",
            agent="dependencies",
            title=f"Pins exact versions of {', '.join(found.pinned[:5])}",
            why="You get security releases of these only after a new release of this one.",
            evidence=[],
            what_to_do="Usual between parts of one project; otherwise watch them yourself.",
        )
    if found.cycle or found.depends_on_itself:
        yield Attention(
            severity="low",
            agent="dependencies",
            title="Is part of a dependency cycle",
            why="None of them can be updated or removed alone.",
            evidence=[" → ".join(found.cycle)] if found.cycle else ["it requires itself"],
            what_to_do="Update them together.",
        )


def of_readme(found: ReadmeFinding) -> Iterator[Attention]:
    """Only what would stop a newcomer."""
    if found.quality is not None and found.quality < POOR_README:
        yield Attention(
            severity="low",
            agent="readme",
            title="No README" if not found.present else "README is of little help",
            why="A new colleague cannot learn from it how to use the package.",
            evidence=found.quality_reasons,
            what_to_do="Look for documentation elsewhere.",
        )


def of_api_surface(found: ApiSurfaceFinding) -> Iterator[Attention]:
    """Copies of other projects, and source that this Python cannot read."""
    if len(found.vendored) > MANY_VENDORED:
        yield Attention(
            severity="low",
            agent="api_surface",
            title=f"Carries copies of {len(found.vendored)} other projects",
            why="Scanners do not see them, and their security releases reach you late.",
            evidence=[", ".join(found.vendored)],
            what_to_do="Watch advisories for them too.",
        )
    if found.unparsed_count:
        old = any("Python 2" in u for u in found.unparsed)
        yield Attention(
            severity="medium" if old else "low",
            agent="api_surface",
            title=f"{found.unparsed_count} source files do not parse"
            + (" (Python 2?)" if old else ""),
            why="Importing them fails.",
            evidence=found.unparsed[:5],
            what_to_do="Check that you do not need those modules.",
        )
