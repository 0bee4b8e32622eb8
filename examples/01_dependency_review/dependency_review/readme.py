"""Whether the README tells a newcomer what it is, how to get it and how to use it."""

from __future__ import annotations

import re

from pydantic import Field

from dependency_review.markup import Markup, outline
from dependency_review.package import Confidence, Finding, Package
from dependency_review.readability import is_english, reading_ease
from sqswarm import agent

SHORT_WORDS = 80
INSTALL = re.compile(
    r"\b(pip3?|pipx|uv|conda|poetry|brew)\b[^\n]{0,30}\b(install|add|tool)\b|easy_install",
    re.IGNORECASE,
)
USAGE_TITLE = re.compile(
    r"usage|example|quick ?-?start|getting started|how to use|tutorial|basic|synopsis|use\b|"
    r"using|introduction",
    re.IGNORECASE,
)
LICENCE_TITLE = re.compile(r"licen[cs]e|copying", re.IGNORECASE)
IMAGE = re.compile(
    r"!\[[^\]]*\]\(\s*(?P<md>[^)\s]+)|^\s*\.\. (?:\|[^|]*\| )?image::\s*(?P<rst>\S+)|"
    r"<img[^>]+src=[\"'](?P<html>[^\"']+)",
    re.MULTILINE | re.IGNORECASE,
)
MOJIBAKE = re.compile("\ufffd|\u00e2\u20ac[\u0080-\u2122]|\u00c3[\u00a0-\u00bf]")


class ReadmeFinding(Finding):
    """What the README has and lacks. `reading_ease` is Flesch's: 60 and more is plain English."""

    present: bool = False
    content_type: str | None = None
    content_type_declared: bool = False
    word_count: int = 0
    sections: list[str] = Field(default_factory=list)
    has_install: bool = False
    has_usage: bool = False
    code_example_count: int = 0
    mentions_licence: bool = False
    link_count: int = 0
    reading_ease: float | None = None
    broken: list[str] = Field(default_factory=list)
    quality: int | None = None
    quality_reasons: list[str] = Field(default_factory=list)
    confidence: Confidence = "high"


@agent(max_attempts=3, timeout=20, concurrency=4, topics=["packages"], memory=256)
def readme(package: Package) -> ReadmeFinding:
    """Judge a README: sections, install and usage examples, readability, broken markup.

    Reads the long description in the metadata, which is what package indexes show.
    """
    return find_readme(package)


def find_readme(package: Package) -> ReadmeFinding:
    """Judge the long description; its quality is 0 to 100 with the reasons for what is missing."""
    if not package.installed:
        return ReadmeFinding(unknowns=["not installed, so its README could not be read"])
    text = package.readme.strip()
    declared = package.header("description-content-type")
    if not text or text == "UNKNOWN":
        return ReadmeFinding(
            content_type_declared=declared is not None,
            quality=0,
            quality_reasons=["there is no README in the metadata"],
        )
    kind = _kind(declared, text)
    parts = outline(text, kind)
    words = len(re.findall(r"\w+", parts.prose))
    unknowns = []
    ease = None
    if words < SHORT_WORDS:
        unknowns.append("readability: too little prose to measure")
    elif not is_english(parts.prose):
        unknowns.append("readability: not English, so Flesch's formula does not apply")
    else:
        ease = reading_ease(parts.prose)
    has_usage = bool(parts.code_blocks) or any(USAGE_TITLE.search(s) for s in parts.sections)
    facts = {
        "there is no installation instruction": bool(INSTALL.search(text)),
        "there is no usage section or code example": has_usage,
        "it is very short": words >= SHORT_WORDS,
        "it has no sections": len(parts.sections) > 1,
        "it has no link to further documentation": parts.link_count > 0,
    }
    broken = _broken(text, kind, parts, declared)
    lacking = [reason for reason, there in facts.items() if not there]
    return ReadmeFinding(
        present=True,
        content_type=kind,
        content_type_declared=declared is not None,
        word_count=words,
        sections=parts.sections[:30],
        has_install=facts["there is no installation instruction"],
        has_usage=has_usage,
        code_example_count=parts.code_blocks,
        mentions_licence=any(LICENCE_TITLE.search(s) for s in parts.sections),
        link_count=parts.link_count,
        reading_ease=ease,
        broken=broken,
        quality=max(0, 100 - 15 * len(lacking) - 10 * len(broken)),
        quality_reasons=lacking + broken,
        unknowns=unknowns,
        confidence="high" if declared else "medium",
    )


def _kind(declared: str | None, text: str) -> str:
    """The declared media type, else a guess from the markup."""
    media = (declared or "").split(";")[0].strip().lower()
    if media in {"text/markdown", "text/x-rst", "text/plain"}:
        return media
    rst = len(re.findall(r"^\.\. \S+::|^[=\-~^]{4,}\s*$|::\s*$|`[^`]+`_", text, re.MULTILINE))
    markdown = len(re.findall(r"^#{1,4} \S|^```|\]\(http", text, re.MULTILINE))
    return "text/markdown" if markdown > rst else "text/x-rst"


def _broken(text: str, kind: str, parts: Markup, declared: str | None) -> list[str]:
    problems = list(parts.problems)
    if declared is None and kind == "text/markdown":
        problems.append("Markdown without a declared content type: indexes show it as plain text")
    if kind == "text/x-rst" and len(re.findall(r"^#{1,4} \S|^```", text, re.MULTILINE)) > 2:  # noqa: PLR2004
        problems.append("declared reStructuredText, but written in Markdown")
    relative = [
        t
        for m in IMAGE.finditer(text)
        for t in m.groups()
        if t and not re.match(r"[a-z]+:|//|#", t)
    ]
    if relative:
        problems.append(
            f"{len(relative)} images have relative addresses and do not show on an index"
        )
    if MOJIBAKE.search(text):
        problems.append("it holds wrongly decoded characters")
    return problems
