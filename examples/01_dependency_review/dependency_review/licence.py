"""The licence of a distribution, concluded from everything that says something about it."""

from __future__ import annotations

from pydantic import Field

from dependency_review.licence_claims import Claim, claim_of_classifiers, claim_of_field
from dependency_review.licence_match import VERBATIM_SHARE, Match, match_text
from dependency_review.package import (
    Confidence,
    Finding,
    Frozen,
    Package,
    is_metadata_path,
    is_vendored_path,
)
from dependency_review.spdx import Category, NotSpdxError, category_of, parse_expression, strictest
from sqswarm import agent


class Evidence(Frozen):
    """One source and what it says."""

    source: str
    says: str


class LicenceFinding(Finding):
    """The licence as an SPDX expression (None: not known), its kind, and why we think so."""

    spdx: str | None = None
    candidates: list[str] = Field(default_factory=list)
    category: Category = "unknown"
    confidence: Confidence = "low"
    reason: str = ""
    evidence: list[Evidence] = Field(default_factory=list)
    conflicts: list[str] = Field(default_factory=list)
    notes: list[str] = Field(default_factory=list)
    bundled: list[Evidence] = Field(default_factory=list)
    has_licence_text: bool = False


@agent(max_attempts=3, timeout=20, concurrency=4, topics=["packages"], memory=256)
def licence(package: Package) -> LicenceFinding:
    """Classify a distribution's licence to SPDX, with evidence, confidence and conflicts.

    Reads License-Expression, License, the classifiers and the licence files' wording.
    """
    return find_licence(package)


def find_licence(package: Package) -> LicenceFinding:
    """Weigh the sources: expression, then field, then wording, then classifiers."""
    main, bundled = _file_claims(package)
    field_text = package.header("license") or ""
    field = claim_of_field(field_text) or _claim_of_long_field(field_text)
    classifiers = claim_of_classifiers(package.header_all("classifier"))
    expression = package.header("license-expression")
    claims = [claim for claim in (field, classifiers, *main) if claim]
    evidence = [Evidence(source=claim.source, says=claim.said) for claim in claims]
    if expression:
        evidence.insert(0, Evidence(source="License-Expression", says=expression))
    if field_text and field is None:
        evidence.append(Evidence(source="License field (not understood)", says=field_text[:120]))
    spdx, confidence, reason = _conclude(expression, field, classifiers, main)
    notes: list[str] = []
    conflicts: list[str] = []
    unknowns: list[str] = []
    declared = _declared(expression, field, classifiers)
    if declared:
        conflicts, notes = _compare(declared, main, field, classifiers, expression)
    if not any(text.text.strip() for text in package.licence_files):
        notes.append(
            "the licence file is empty" if package.licence_files else "no licence text is shipped"
        )
    elif not main:
        unknowns.append("the wording of the licence file matches no licence we know")
    candidates = _candidates(claims, main) if spdx is None else []
    if spdx is None:
        unknowns.append("the exact licence")
    return LicenceFinding(
        spdx=spdx,
        candidates=candidates[:8],
        confidence=confidence,
        reason=reason,
        evidence=evidence,
        category=_category(spdx, candidates),
        conflicts=conflicts,
        notes=notes,
        unknowns=unknowns,
        bundled=[Evidence(source=claim.source, says=claim.said) for claim in bundled],
        has_licence_text=any(file.text.strip() for file in package.licence_files),
    )


def _file_claims(package: Package) -> tuple[list[Claim], list[Claim]]:
    """Split what the licence files say: of the package itself, of code it bundles."""
    main: list[Claim] = []
    bundled: list[Claim] = []
    in_metadata = any(is_metadata_path(f.path) for f in package.licence_files)
    for file in package.licence_files:
        matches = match_text(file.text)
        if not matches:
            continue
        target = bundled if _is_bundled(file.path, in_metadata=in_metadata) else main
        target.append(_claim_of_matches(file.path, matches))
    return main, bundled


def _is_bundled(path: str, *, in_metadata: bool) -> bool:
    if is_vendored_path(path):
        return True
    if not is_metadata_path(path):
        # Where the installer's record has the licence, one elsewhere belongs to a part.
        return in_metadata
    inner = path.split("-info/", 1)[-1].removeprefix("licenses/").removeprefix("license_files/")
    return "/" in inner


def _claim_of_matches(path: str, matches: list[Match]) -> Claim:
    how = "; ".join(f"{m.spdx} ({m.by}, {m.share:.0%})" for m in matches)
    return Claim(source=f"file {path}", said=how, parts=tuple(frozenset({m.spdx}) for m in matches))


def _claim_of_long_field(text: str) -> Claim | None:
    """Some authors paste the whole licence into the License field."""
    matches = match_text(text)
    if not matches:
        return None
    return Claim(
        source="License field",
        said="the full text of " + ", ".join(m.spdx for m in matches),
        parts=tuple(frozenset({m.spdx}) for m in matches),
    )


def _declared(
    expression: str | None, field: Claim | None, classifiers: Claim | None
) -> frozenset[str]:
    if expression:
        try:
            return parse_expression(expression).ids
        except NotSpdxError:
            pass
    return (field.allowed if field else frozenset()) | (
        classifiers.allowed if classifiers else frozenset()
    )


def _conclude(
    expression: str | None,
    field: Claim | None,
    classifiers: Claim | None,
    files: list[Claim],
) -> tuple[str | None, Confidence, str]:
    if expression:
        try:
            return parse_expression(expression).text, "certain", "declared as License-Expression"
        except NotSpdxError:
            pass
    if field and field.exact:
        backed = any(_overlap(field.allowed, f.allowed) for f in files)
        return (
            field.exact,
            "certain" if backed else "high",
            ("License field, confirmed by the licence text" if backed else "License field"),
        )
    texts = {i for claim in files for i in claim.allowed}
    declared = [claim for claim in (field, classifiers) if claim]
    for claim in declared:
        narrowed = _narrow(claim, texts)
        if narrowed:
            return narrowed, "high", f"{claim.source}, made exact by the licence text"
    for claim in declared:
        if claim.exact:
            return claim.exact, "medium", f"only the {claim.source} say so"
    if not declared and len(texts) == 1:
        share_ok = any(
            f"{VERBATIM_SHARE:.0%}" <= f.said.rsplit(", ", 1)[-1] or "100%" in f.said for f in files
        )
        return next(iter(texts)), "high" if share_ok else "medium", "only the licence text says so"
    if declared or texts:
        return None, "low", "the sources do not add up to one licence expression"
    return None, "low", "nothing in the distribution names a licence"


def _narrow(claim: Claim, texts: set[str]) -> str | None:
    """Make a vague claim exact with what the texts are; None when that leaves it open."""
    chosen = []
    for part in claim.parts:
        hits = sorted(i for i in texts if any(_same(i, p) for p in part))
        if len(hits) != 1:
            return None
        chosen.append(hits[0] if hits[0] in part else next(p for p in part if _same(hits[0], p)))
    if len(chosen) == 1:
        return chosen[0]
    return None if claim.operator == "?" else f" {claim.operator} ".join(chosen)


def _candidates(claims: list[Claim], files: list[Claim]) -> list[str]:
    """What it may be: the licences whose text is there and declared, else all that is allowed."""
    texts = {i for claim in files for i in claim.allowed}
    declared = {i for claim in claims if claim not in files for i in claim.allowed}
    both = {i for i in texts if any(_same(i, d) for d in declared)}
    return sorted(both or texts | declared)


def _compare(
    declared: frozenset[str],
    files: list[Claim],
    field: Claim | None,
    classifiers: Claim | None,
    expression: str | None,
) -> tuple[list[str], list[str]]:
    """Find where sources contradict one another, and where a text goes beyond what is declared."""
    conflicts: list[str] = []
    notes: list[str] = []
    if field and classifiers and not _overlap(field.allowed, classifiers.allowed):
        conflicts.append(
            f"the License field says {field.said!r}, the classifiers say {classifiers.said!r}"
        )
    elif expression and classifiers and not _overlap(declared, classifiers.allowed):
        conflicts.append(
            f"License-Expression says {expression!r}, the classifiers say {classifiers.said!r}"
        )
    texts = frozenset(i for claim in files for i in claim.allowed)
    if not texts:
        return conflicts, notes
    if not _overlap(declared, texts):
        shown = (
            expression
            or (field.said if field else None)
            or (classifiers.said if classifiers else "")
        )
        conflicts.append(
            f"declared is {shown!r}, the licence file reads as {', '.join(sorted(texts))}"
        )
        return conflicts, notes
    strict = strictest([category_of(i) for i in declared])
    for extra in sorted(i for i in texts if not _overlap(declared, frozenset({i}))):
        beyond = category_of(extra) != strict and strictest(
            [category_of(extra), strict]
        ) == category_of(extra)
        notes.append(
            f"the licence file also holds {extra}" + (", which asks for more" if beyond else "")
        )
    return conflicts, notes


def _overlap(one: frozenset[str], other: frozenset[str]) -> bool:
    return any(_same(a, b) for a in one for b in other)


def _same(one: str, other: str) -> bool:
    """Whether two ids may mean one licence: a GNU text cannot tell 'only' from 'or later'."""
    return _bare(one) == _bare(other)


def _bare(spdx: str) -> str:
    bare = (
        spdx.split(" WITH ", maxsplit=1)[0]
        .removesuffix("+")
        .removesuffix("-only")
        .removesuffix("-or-later")
    )
    return "PSF-2.0" if bare.startswith("Python-2.0") else bare


def _category(spdx: str | None, candidates: list[str]) -> Category:
    if spdx is not None:
        return parse_expression(spdx).category
    # Alternatives of different kinds leave the kind open; the strictest would be a guess.
    kinds = {category_of(i) for i in candidates}
    return kinds.pop() if len(kinds) == 1 else "unknown"
