"""The licence of a distribution, concluded from everything that says something about it.

A claim is the set of licences that a source's words allow: 'BSD License' allows every BSD licence,
'MIT' one. That is how a vague source and an exact one agree without a false conflict.
"""

from __future__ import annotations

import re
from functools import cache
from itertools import pairwise
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, get_args

from license_expression import ExpressionError, Licensing, get_license_index, get_spdx_licensing

from dependency_review.licence_texts import licences_of, meant_by
from dependency_review.package import Finding, Package, attention
from dependency_review.source import is_metadata, vendored
from sqswarm import agent

# From the one that asks least to the one that needs a lawyer first.
Category = Literal["permissive", "weak copyleft", "strong copyleft", "proprietary", "unknown"]
Confidence = Literal["certain", "high", "medium", "low"]
ORDER: tuple[Category, ...] = get_args(Category)
# ScanCode's categories that do not limit the use.
_FREE: MappingProxyType[str, Category] = MappingProxyType(
    {
        "Permissive": "permissive",
        "Public Domain": "permissive",
        "Copyleft Limited": "weak copyleft",
        "Copyleft": "strong copyleft",
        "Unstated License": "unknown",
    }
)
MAX_FIELD_CHARS = 200


class LicenceFinding(Finding):
    """The licence as an SPDX expression (None: not known), its kind, and why we think so."""

    spdx: str | None = None
    candidates: list[str] = []
    category: Category = "unknown"
    confidence: Confidence = "low"
    reason: str = ""
    evidence: list[str] = []
    conflicts: list[str] = []
    bundled: list[str] = []


class Claim(NamedTuple):
    """What one source says: the licences its words allow, and the expression if they are exact."""

    source: str
    said: str
    allowed: frozenset[str]
    exact: str | None
    is_one: bool = True


@agent(max_attempts=3, timeout=20, concurrency=4, topics=["packages"], memory=256)
def licence(package: Package) -> LicenceFinding:
    """Classify a distribution's licence to SPDX, with evidence, confidence and conflicts.

    Reads License-Expression, License, the classifiers and the licence files' wording.
    """
    if not package.installed:
        return LicenceFinding(unknowns=["not installed, so its licence could not be read"])
    texts, bundled = _texts(package)
    claims = [
        _expression("License-Expression", package.header("license-expression") or ""),
        _field(package.header("license") or ""),
        _classifiers(package.header_all("classifier")),
    ]
    declared = [claim for claim in claims if claim]
    said, wording = _allowed(declared), _allowed(texts)
    spdx, confidence, reason = _conclude(declared, wording)
    candidates = [] if spdx else sorted(said & wording or said | wording)[:8]
    kinds = {category_of(i) for i in candidates}
    # Alternatives of different kinds leave the kind open; the strictest would be a guess.
    open_kind = kinds.pop() if len(kinds) == 1 else "unknown"
    category = _kind(_licensing().parse(spdx)) if spdx else open_kind
    evidence = [f"{claim.source}: {claim.said}" for claim in [*declared, *texts]]
    conflicts = [
        f"{one.source} says {one.said!r}, {other.source} says {other.said!r}"
        for one, other in pairwise(declared)
        if not _overlap(one.allowed, other.allowed)
    ]
    if declared and texts and not _overlap(said, wording):
        shown = ", ".join(sorted(wording))
        conflicts.append(f"declared is {declared[0].said!r}, the licence file reads as {shown}")
    found = [("licence conflict", conflict) for conflict in conflicts]
    if category == "unknown":
        found.append(
            ("several licences" if candidates else "no licence", spdx or " / ".join(candidates))
        )
    elif category != "permissive":
        found.append((category, spdx or " / ".join(candidates)))
    elif not spdx:
        found.append(("licence not exact", " / ".join(candidates)))
    if declared and not conflicts:
        found += [("stricter text", claim.said) for claim in _stricter(said, texts)]
    if spdx and not any(text.strip() for text in package.licence_files.values()):
        found.append(("no licence text", ""))
    return LicenceFinding(
        spdx=spdx,
        candidates=candidates,
        category=category,
        confidence=confidence,
        reason=reason,
        evidence=evidence,
        conflicts=conflicts,
        bundled=[f"{claim.source}: {claim.said}" for claim in bundled],
        attention=[attention(key, value, evidence=evidence) for key, value in found],
        unknowns=[] if spdx else ["the exact licence"],
    )


def _texts(package: Package) -> tuple[list[Claim], list[Claim]]:
    """Split what the licence files say: of the package itself, of code it bundles."""
    main: list[Claim] = []
    bundled: list[Claim] = []
    in_metadata = any(is_metadata(path) for path in package.licence_files)
    for path, text in package.licence_files.items():
        inner = re.sub(r"^[^/]*-info/(licenses/|license_files/)?", "", path)
        # Where the installer's record has the licence, one elsewhere belongs to a part.
        is_part = "/" in inner if is_metadata(path) else in_metadata
        for ids in licences_of(text):
            claim = Claim(path, " or ".join(sorted(ids)), ids, _only(ids))
            (bundled if is_part or vendored(path) is not None else main).append(claim)
    # The LGPL 3 is an addition to the GPL 3: who uses it ships both.
    if any("LGPL-3.0-only" in claim.allowed for claim in main):
        main = [claim for claim in main if "GPL-3.0-only" not in claim.allowed]
    return main, bundled


def _field(text: str) -> Claim | None:
    """Read the License field: an expression, usual words for it, or the whole text."""
    text = " ".join(text.split())
    if len(text) > MAX_FIELD_CHARS:
        return _claim("License", text[:60] + " ...", licences_of(text), None)
    separators = {r"$": "", r"\s+or\s+": " OR ", r"\s+(?:and|&)\s+": " AND ", r"\s*[/,;|]\s*": None}
    for separator, operator in separators.items():
        parts = [_named(part) for part in re.split(f"(?i){separator}", text) if part]
        if all(parts):
            return _claim("License", text, parts, operator)
    return _expression("License", text)


def _classifiers(classifiers: list[str]) -> Claim | None:
    """Read the `License ::` classifiers; several of them do not say whether AND or OR."""
    said = [c for c in dict.fromkeys(classifiers) if c.startswith("License ::")]
    parts = [ids for c in said if (ids := _named(c.split("::")[-1].strip()))]
    return _claim("classifiers", "; ".join(said), parts, None)


def _claim(
    source: str, said: str, parts: list[frozenset[str]], operator: str | None
) -> Claim | None:
    """Join what the parts mean; exact where each means one and the operator is said."""
    if not parts:
        return None
    exact = [i for part in parts if (i := _only(part))]
    is_exact = len(exact) == len(parts) and (len(parts) == 1 or operator)
    allowed = frozenset().union(*parts)
    joined = (operator or "").join(exact) if is_exact else None
    return Claim(source, said, allowed, joined, is_one=len(parts) == 1)


def _named(words: str) -> frozenset[str]:
    """What usual words mean, else the SPDX id that they are or have in parentheses."""
    for text in (words, *re.findall(r"\(([^)]*)\)", words)):
        spdx = _expression("", text.strip().replace(" ", "-"))
        found = meant_by(text) or (spdx.allowed if spdx and len(spdx.allowed) == 1 else None)
        if found and category_of(min(found)) != "unknown" and not (spdx and " WITH " in spdx.said):
            return found
    return frozenset()


def _expression(source: str, text: str) -> Claim | None:
    """Read an SPDX expression; ids must be in the index or start with 'LicenseRef-'."""
    try:
        parsed = _licensing().parse(text)
        unknown = _licensing().unknown_license_keys(parsed) if text else [""]
    except ExpressionError:
        return None
    if any(not re.fullmatch(r"LicenseRef-[\w.-]+", i) for i in unknown):
        return None
    ids = frozenset(i for i in _licensing().license_keys(parsed) if "exception" not in i.lower())
    return Claim(source, text, ids, parsed.render())


def _conclude(declared: list[Claim], wording: frozenset[str]) -> tuple[str | None, Confidence, str]:
    for claim in declared:
        confirmed = _overlap(claim.allowed, wording)
        if claim.exact and claim.source != "classifiers":
            is_certain = confirmed or claim.source == "License-Expression"
            return claim.exact, "certain" if is_certain else "high", f"{claim.source} says so"
        if claim.is_one and (narrowed := _only(claim.allowed & wording)):
            return narrowed, "high", f"{claim.source}, made exact by the licence text"
    if declared and declared[-1].exact:
        return declared[-1].exact, "medium", "only the classifiers say so"
    if not declared and (spdx := _only(wording)):
        return spdx, "high", "only the licence text says so"
    if declared or wording:
        return None, "low", "the sources do not add up to one licence expression"
    return None, "low", "nothing in the distribution names a licence"


def _stricter(said: frozenset[str], texts: list[Claim]) -> list[Claim]:
    """Find texts beyond what is declared that ask for more than it does."""
    most = max(ORDER.index(category_of(i)) for i in said)
    beyond = [claim for claim in texts if not _overlap(said, claim.allowed)]
    return [c for c in beyond if min(ORDER.index(category_of(i)) for i in c.allowed) > most]


def _allowed(claims: list[Claim]) -> frozenset[str]:
    return frozenset[str]().union(*(claim.allowed for claim in claims))


def _overlap(one: frozenset[str], other: frozenset[str]) -> bool:
    # Python's licence is a stack, known under several ids; PSF-2.0 is its top.
    tops = ({re.sub(r"^(PSF|Python)-2.*", "PSF-2.0", i) for i in ids} for ids in (one, other))
    return bool(set.intersection(*tops))


def _only(ids: frozenset[str]) -> str | None:
    return next(iter(ids)) if len(ids) == 1 else None


def _kind(node: Any) -> Category:
    """AND binds to all of its parts, OR lets you choose the one that asks least."""
    if isinstance(node, (_licensing().AND, _licensing().OR)):
        least_or_most = min if isinstance(node, _licensing().OR) else max
        return ORDER[least_or_most(ORDER.index(_kind(part)) for part in node.args)]
    kind = category_of(getattr(node, "license_symbol", node).key)
    # Linking exceptions are what turns the GPL into something a library can live with.
    return "weak copyleft" if " WITH " in node.render() and kind == "strong copyleft" else kind


def category_of(spdx: str) -> Category:
    """The kind of a licence by its SPDX id; 'unknown' for ids outside the index."""
    return _categories().get(spdx.removesuffix("+"), "unknown")


@cache
def _licensing() -> Licensing:
    return get_spdx_licensing()


@cache
def _categories() -> dict[str, Category]:
    index = {e.get("spdx_license_key"): e["category"] for e in get_license_index()}
    categories = {key: _FREE.get(kind, "proprietary") for key, kind in index.items() if key}
    # Not in the index, or judged otherwise: 'for good, not evil' is a limit.
    own = ("JSON", "LicenseRef-Commons-Clause", "LicenseRef-Proprietary")
    return {**categories, **dict.fromkeys(own, "proprietary"), _PUBLIC: "permissive"}


_PUBLIC = "LicenseRef-Public-Domain"
