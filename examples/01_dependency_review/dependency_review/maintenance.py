"""Who looks after it and for which Pythons: only what the metadata states, no network."""

from __future__ import annotations

import re
from datetime import date
from types import MappingProxyType

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from dependency_review.package import Finding, Package, attention
from sqswarm import agent

# End of life of each CPython. Source: https://devguide.python.org/versions/.
END_OF_LIFE = MappingProxyType({f"3.{minor}": date(2016 + minor, 10, 31) for minor in range(9, 15)})
# Labels of Project-URL without spaces and signs. Source: PyPA's well-known labels, and usage.
LABELS = MappingProxyType(
    {
        "homepage": r"home(page)?|website|project",
        "repository": r"(source)?(repository|code|github|gitlab|git|codeberg|repo|source)+",
        "changelog": r"change(s|log|slog)|whatsnew|(release)?(notes|history)|news|releases",
        "documentation": r"(api)?doc(s|umentation)?",
        "issues": r"(issue|bug|github)*(s|tracker|reports|issues)",
        "security": r"security(policy|contact)?|tideliftsecurity|vulnerabilities",
    }
)
HOSTS = re.compile(
    r"(?i)https?://(www\.)?(github\.com|gitlab\.com|bitbucket\.org|codeberg\.org|git\.sr\.ht)/"
    r"[^/\s]+/[^/\s#]+"
)
SECURITY = re.compile(
    r"(?i)SECURITY\.(md|rst|txt)|security (polic|contact|vulnerabilit|issue|report)|"
    r"report(ing)? (a )?(security|vulnerabilit)"
)
ABANDONED = re.compile(
    r"(?i)\bthis (project|package|library|repository|module) is (now )?(deprecated|unmaintained|"
    r"abandoned|archived|not maintained)\b|\bno longer (actively )?maintained\b|"
    r"\bdeprecated in favou?r of\b"
)


class MaintenanceFinding(Finding):
    """Links, status and supported Pythons. A None says that the metadata do not tell."""

    homepage: str | None = None
    repository: str | None = None
    changelog: str | None = None
    documentation: str | None = None
    issues: str | None = None
    security: str | None = None
    development_status: str | None = None
    requires_python: str | None = None
    supported_pythons_allowed: list[str] | None = None
    people: list[str] = []
    abandonment_signs: list[str] = []


@agent(max_attempts=3, timeout=20, concurrency=4, topics=["packages"], memory=256)
def maintenance(package: Package) -> MaintenanceFinding:
    """Read maintenance signals: links, status, Python versions, signs of abandonment."""
    if not package.installed:
        return MaintenanceFinding(unknowns=["not installed, so there is no metadata to read"])
    links = _links(package)
    classifiers = package.header_all("classifier")
    statuses = [c.split("::")[-1].strip() for c in classifiers if "Development Status ::" in c]
    pythons = [c.split("::")[-1].strip() for c in classifiers if "Language :: Python ::" in c]
    pythons = [v for v in pythons if re.fullmatch(r"\d(\.\d+)?", v)]
    requires = package.header("requires-python")
    specifier = _specifier(requires)
    supported = [v for v, end in END_OF_LIFE.items() if end >= (package.collected_on or end)]
    allowed = None if specifier is None else [v for v in supported if specifier.contains(v)]
    signs = [f"its classifier says {status!r}" for status in statuses if status == "7 - Inactive"]
    if pythons and all(v[0] == "2" for v in pythons):
        signs.append(f"its classifiers name only Python 2 ({', '.join(pythons)})")
    elif allowed == []:
        signs.append("Requires-Python allows no Python that still gets fixes")
    if said := ABANDONED.search(package.readme[:3000]):
        signs.append(f"its README says {said[0]!r}")
    running = package.python_version
    shut_out = specifier and running and not specifier.contains(running, prereleases=True)
    found = {
        "abandoned": signs,
        "wrong python": [str(requires)] if shut_out else [],
        "no version": [] if package.version else ["Version is missing"],
        "no summary": [] if package.header("summary") else ["Summary is missing"],
        "no link": [] if links["repository"] or links["homepage"] else ["no Project-URL says it"],
    }
    unknowns = ["release date: not part of the metadata"]
    if specifier is None:
        unknowns.append(f"supported Pythons: Requires-Python is {requires!r}")
    if not statuses:
        unknowns.append("development status: no classifier")
    headers = ("maintainer", "maintainer-email", "author", "author-email")
    return MaintenanceFinding(
        **links,
        development_status=statuses[0] if statuses else None,
        requires_python=requires,
        supported_pythons_allowed=allowed,
        people=[*dict.fromkeys(v[:200] for h in headers if (v := package.header(h)))],
        abandonment_signs=signs,
        attention=[attention(key, evidence=proof) for key, proof in found.items() if proof],
        unknowns=unknowns,
    )


def _links(package: Package) -> dict[str, str | None]:
    links: dict[str, str | None] = dict.fromkeys(LABELS)
    entries = [e.partition(",")[::2] for e in package.header_all("project-url")]
    entries += [("homepage", home) for home in package.header_all("home-page")]
    for label, url in entries:
        plain = re.sub(r"[^a-z]", "", label.lower())
        for kind, pattern in LABELS.items():
            if re.fullmatch(pattern, plain):
                links[kind] = links[kind] or url.strip()
    hosted = (m[0] for _, url in entries if (m := HOSTS.match(url.strip())))
    links["repository"] = links["repository"] or next(hosted, None)
    if not links["security"] and (said := SECURITY.search(package.readme)):
        links["security"] = f"named in the README: {said[0]!r}"
    return links


def _specifier(requires: str | None) -> SpecifierSet | None:
    try:
        return SpecifierSet(requires) if requires else None
    except InvalidSpecifier:
        return None
