"""Whether the README tells a newcomer what it is, how to get it and how to use it."""

from __future__ import annotations

import re
from types import MappingProxyType

from dependency_review.package import Finding, Package, attention
from sqswarm import agent

POOR_QUALITY = 50
SHORT_WORDS = 80
# What a README should have, and how to tell that it does.
NEEDS = MappingProxyType(
    {
        "an installation instruction": r"(?i)\b(pip3?|pipx|uv|conda|poetry|brew)\b[^\n]{0,30}"
        r"\b(install|add|tool)\b|easy_install",
        # A fence, a literal block, a prompt, or a title that says it.
        "a usage section or code example": r"(?im)^ {0,3}(```|~~~)|::\s*$|^\s*>>>|^\.\. code|"
        r"^(#+ |\W*<h\d.*>)?.{0,20}(usage|examples?|quick ?-?start|getting started|tutorial)\W*$",
        "sections": r"(?im)^#{1,6} |^([=\-~^*]){3,}\s*$|<h[1-6]",
        "a link to further documentation": r"https?://",
    }
)


class ReadmeFinding(Finding):
    """What the README has and lacks; its quality is 0 to 100."""

    quality: int | None = None
    has: list[str] = []
    lacks: list[str] = []


@agent(max_attempts=3, timeout=20, concurrency=4, topics=["packages"], memory=256)
def readme(package: Package) -> ReadmeFinding:
    """Judge a README: does it say how to install and use the package, and is it structured?

    Reads the long description in the metadata, which is what package indexes show.
    """
    if not package.installed:
        return ReadmeFinding(unknowns=["not installed, so its README could not be read"])
    text = package.readme.strip()
    if text in {"", "UNKNOWN"}:
        return ReadmeFinding(quality=0, lacks=list(NEEDS), attention=[attention("no readme")])
    prose = re.sub(r"(?s)```.*?```|https?://\S+|<[^>]*>", " ", text)
    facts = {need: bool(re.search(pattern, text)) for need, pattern in NEEDS.items()}
    facts["more than a few words"] = len(re.findall(r"\w+", prose)) >= SHORT_WORDS
    has = [need for need, there in facts.items() if there]
    lacks = [need for need, there in facts.items() if not there]
    quality = 100 - 20 * len(lacks)
    poor = [attention("poor readme", evidence=[f"it lacks {what}" for what in lacks])]
    return ReadmeFinding(
        quality=quality, has=has, lacks=lacks, attention=poor if quality < POOR_QUALITY else []
    )
