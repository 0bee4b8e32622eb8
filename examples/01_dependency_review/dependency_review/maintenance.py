"""Who looks after it and for which Pythons: only what the metadata states, no network."""

from __future__ import annotations

import re
from datetime import date
from types import MappingProxyType

from pydantic import Field

from dependency_review.package import Finding, Package
from dependency_review.requirement import NotARequirementError, allows, parse_requirement, release
from sqswarm import agent

# End of life of each CPython, month by month. Source: https://devguide.python.org/versions/.
PYTHON_END_OF_LIFE = MappingProxyType(
    {
        "3.8": date(2024, 10, 7),
        "3.9": date(2025, 10, 31),
        "3.10": date(2026, 10, 31),
        "3.11": date(2027, 10, 31),
        "3.12": date(2028, 10, 31),
        "3.13": date(2029, 10, 31),
        "3.14": date(2030, 10, 31),
    }
)
# Labels of Project-URL, normalised. Source: the well-known labels of PyPA's specification.
LABELS = MappingProxyType(
    {
        "homepage": ("homepage", "home", "website", "home page", "project"),
        "repository": (
            "repository",
            "source",
            "source code",
            "sourcecode",
            "github",
            "code",
            "gitlab",
            "git",
            "repo",
            "source repository",
            "codeberg",
            "github repo",
        ),
        "changelog": (
            "changelog",
            "changes",
            "whatsnew",
            "release notes",
            "history",
            "release history",
            "change log",
            "news",
            "changes log",
            "releases",
        ),
        "documentation": ("documentation", "docs", "doc", "api docs", "api documentation"),
        "issues": (
            "issues",
            "bugs",
            "tracker",
            "issue tracker",
            "bug tracker",
            "bug reports",
            "bugtracker",
            "github issues",
        ),
        "security": (
            "security",
            "security policy",
            "security contact",
            "tidelift security",
            "vulnerabilities",
        ),
        "funding": ("funding", "sponsor", "donate", "donation", "sponsors", "tidelift"),
    }
)
HOSTS = re.compile(
    r"https?://(www\.)?(github\.com|gitlab\.com|bitbucket\.org|codeberg\.org|git\.sr\.ht)/[^/\s]+/[^/\s#]+",
    re.IGNORECASE,
)
SECURITY_WORDS = re.compile(
    r"SECURITY\.(md|rst|txt)|security (polic|contact|vulnerabilit|issue|report)|"
    r"report(ing)? (a )?(security|vulnerabilit)",
    re.IGNORECASE,
)
ABANDONED_WORDS = re.compile(
    r"\b(?:this (?:project|package|library|repository|module) is (?:now )?"
    r"(?:deprecated|unmaintained|abandoned|archived|not maintained)|"
    r"no longer (?:actively )?maintained|deprecated in favou?r of)\b",
    re.IGNORECASE,
)
PYTHON_CLASSIFIER = re.compile(r"^Programming Language :: Python :: (\d(?:\.\d+)?)$")


class MaintenanceFinding(Finding):
    """Links, status and supported Pythons. A None says that the metadata do not tell."""

    summary: str | None = None
    homepage: str | None = None
    repository: str | None = None
    changelog: str | None = None
    documentation: str | None = None
    issues: str | None = None
    security_contact: str | None = None
    funding: str | None = None
    development_status: str | None = None
    requires_python: str | None = None
    classified_pythons: list[str] = Field(default_factory=list)
    allowed_pythons: list[str] | None = None
    shuts_out_running_python: bool | None = None
    maintainers: list[str] = Field(default_factory=list)
    release_date: str | None = None
    abandonment_signs: list[str] = Field(default_factory=list)
    metadata_version: str | None = None
    metadata_problems: list[str] = Field(default_factory=list)


@agent(max_attempts=3, timeout=20, concurrency=4, topics=["packages"], memory=256)
def maintenance(package: Package) -> MaintenanceFinding:
    """Read maintenance signals: links, status, Python versions, signs of abandonment.

    Uses metadata only; the release date is not in it and stays unknown.
    """
    return find_maintenance(package)


def find_maintenance(package: Package) -> MaintenanceFinding:
    """Collect the signals; what the metadata do not state stays None and is listed as unknown."""
    if not package.installed:
        return MaintenanceFinding(unknowns=["not installed, so there is no metadata to read"])
    links = _links(package)
    classifiers = package.header_all("classifier")
    pythons = sorted({m[1] for c in classifiers if (m := PYTHON_CLASSIFIER.match(c))}, key=release)
    requires = package.header("requires-python")
    clauses = _clauses(requires)
    unknowns = ["release date: not part of the metadata"]
    if requires and clauses is None:
        unknowns.append(f"supported Pythons: Requires-Python {requires!r} could not be read")
    elif not requires:
        unknowns.append("supported Pythons: no Requires-Python")
    supported = _supported(package.environment.collected_on)
    status = next(
        (c.split("::")[-1].strip() for c in classifiers if c.startswith("Development Status ::")),
        None,
    )
    if status is None:
        unknowns.append("development status: no classifier")
    running = package.environment.python_version
    return MaintenanceFinding(
        summary=package.header("summary"),
        **links,
        development_status=status,
        requires_python=requires,
        classified_pythons=pythons,
        allowed_pythons=[v for v in supported if allows(clauses, v)] if clauses else None,
        shuts_out_running_python=not allows(clauses, running) if clauses and running else None,
        maintainers=_maintainers(package),
        metadata_version=package.header("metadata-version"),
        abandonment_signs=_abandonment(package, classifiers, clauses, pythons, supported),
        metadata_problems=_problems(package),
        unknowns=unknowns,
    )


def _links(package: Package) -> dict[str, str | None]:
    found: dict[str, str] = {}
    urls: list[str] = []
    for entry in package.header_all("project-url"):
        label, _, url = entry.partition(",")
        urls.append(url.strip())
        plain = re.sub(r"[^a-z ]", "", label.lower().replace("-", " ")).strip()
        for kind, labels in LABELS.items():
            if plain in labels:
                found.setdefault(kind, url.strip())
    home = package.header("home-page")
    if home:
        found.setdefault("homepage", home)
        urls.append(home)
    repository = next((m[0] for url in urls if (m := HOSTS.match(url))), None)
    if repository:
        found.setdefault("repository", repository)
    if "security" not in found:
        in_readme = SECURITY_WORDS.search(package.readme)
        if in_readme:
            found["security"] = f"named in the README: {in_readme[0]!r}"
    links = {kind: found.get(kind) for kind in LABELS}
    links["security_contact"] = links.pop("security")
    return links


def _clauses(requires: str | None) -> tuple[tuple[str, str], ...] | None:
    if not requires:
        return None
    try:
        return parse_requirement(f"python {requires}").clauses
    except NotARequirementError:
        return None


def _supported(today: date | None) -> list[str]:
    """The CPythons that still get fixes on that day; all that we know when there is no day."""
    return [v for v, end in PYTHON_END_OF_LIFE.items() if today is None or end >= today]


def _maintainers(package: Package) -> list[str]:
    people = []
    for header in ("maintainer", "maintainer-email", "author", "author-email"):
        value = package.header(header)
        if value and value not in people:
            people.append(value[:200])
    return people


def _abandonment(
    package: Package,
    classifiers: list[str],
    clauses: tuple[tuple[str, str], ...] | None,
    pythons: list[str],
    supported: list[str],
) -> list[str]:
    signs = []
    if any(c == "Development Status :: 7 - Inactive" for c in classifiers):
        signs.append("its classifier says 'Development Status :: 7 - Inactive'")
    if pythons and all(release(v)[:1] == (2,) for v in pythons):
        signs.append(f"its classifiers name only Python 2 ({', '.join(pythons)})")
    elif clauses and not any(allows(clauses, v) for v in supported):
        signs.append("Requires-Python allows no Python that still gets fixes")
    said = ABANDONED_WORDS.search(package.readme[:3000])
    if said:
        signs.append(f"its README says {said[0]!r}")
    return signs


def _problems(package: Package) -> list[str]:
    problems = []
    if not package.version:
        problems.append("the metadata name no version")
    if not package.header("metadata-version"):
        problems.append("the metadata have no Metadata-Version")
    if not package.header("summary"):
        problems.append("the metadata have no summary")
    return problems
