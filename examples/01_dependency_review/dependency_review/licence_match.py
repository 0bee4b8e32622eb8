"""Recognising licences by the wording of a file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

from dependency_review.licence_texts import (
    ADDED_CLAUSES,
    GRANTORS,
    LONG_TEXTS,
    MORE_SPECIFIC,
    NOTICES,
    SHORT_TEXTS,
)

# Share of a licence's word triples that has to be there. Real copies (reworded party names,
# typographic quotes) score 0.93 and more; the nearest other licence stays below 0.8.
MATCH_SHARE = 0.85
VERBATIM_SHARE = 0.97
MAX_TEXT_CHARS = 400_000

_WORD = re.compile(r"[a-z0-9]+(?:\.[a-z0-9]+)*\.?")
# Markdown links keep their label; comment signs and list bullets carry no words anyway.
_LINK = re.compile(r"\[([^\]]+)\]\([^)]*\)|<[^>\s]+>|https?://\S+")


@dataclass(frozen=True, kw_only=True)
class Match:
    """A licence recognised in a text, and how much of its wording was there (0 to 1)."""

    spdx: str
    share: float
    by: str


def words(text: str) -> str:
    """Lower-case words separated by single spaces: what comparisons are made on."""
    flat = _LINK.sub(lambda m: m.group(1) or " ", text[:MAX_TEXT_CHARS]).lower()
    flat = flat.replace("\u2019", "'").replace("licence", "license")
    # A full stop ends a sentence except after a lone section number such as '0.' or '1.'.
    return " ".join(
        w if re.fullmatch(r"[\d.]+\.|v\.", w) else w.rstrip(".") for w in _WORD.findall(flat)
    )


def match_text(text: str) -> list[Match]:
    """Name every licence whose wording is in the text, surest first; empty when none is."""
    plain = words(text)
    found = _by_wording(plain)
    for spdx, phrases in LONG_TEXTS.items():
        if all(phrase in plain for phrase in phrases):
            found[spdx] = Match(spdx=spdx, share=1.0, by="title and key sentences")
    for spdx, phrase in NOTICES:
        # The full GNU texts end in such a notice, as advice.
        known = any(
            spdx == f or ("GPL" in spdx and "GPL" in f and "or-later" not in f) for f in found
        )
        if not known and phrase in plain:
            found[spdx] = Match(spdx=spdx, share=1.0, by="a short notice")
    _drop_quoted_relatives(found)
    return sorted(found.values(), key=lambda m: (-m.share, m.spdx))


def _by_wording(plain: str) -> dict[str, Match]:
    """Short licences: most of the wording is there, and so is what tells relatives apart."""
    found: dict[str, Match] = {}
    triples = _triples(plain)
    for spdx, wanted in _short_triples().items():
        share = len(wanted & triples) / len(wanted)
        if share >= MATCH_SHARE and GRANTORS.get(spdx, "") in plain:
            found[spdx] = Match(spdx=spdx, share=round(share, 3), by="wording")
    for shorter, (longer, phrase) in MORE_SPECIFIC.items():
        found.pop(shorter if phrase in plain else longer, None)
    for base, clauses in ADDED_CLAUSES.items():
        for spdx, phrase in clauses:
            if base in found and phrase in plain:
                share = found.pop(base).share
                found[spdx] = Match(spdx=spdx, share=share, by="wording and an added clause")
    return found


def _drop_quoted_relatives(found: dict[str, Match]) -> None:
    """Some texts quote others; only the one whose text it is counts."""
    if "PSF-2.0" in found:
        # Python's licence is a stack: PSF, BeOpen, CNRI, CWI (an HPND) and 0BSD for its examples.
        for part in ("CNRI-Python", "HPND", "0BSD"):
            found.pop(part, None)
    if "AGPL-3.0-or-later" in found:
        found.pop("GPL-3.0-or-later", None)
    if "LGPL-3.0-or-later" in found:
        found.pop("GPL-3.0-or-later", None)
    if "LGPL-2.1" in found:
        found.pop("LGPL-2.0", None)


def _triples(plain: str) -> frozenset[tuple[str, str, str]]:
    parts = [w.rstrip(".") for w in plain.split()]
    return frozenset(zip(parts, parts[1:], parts[2:], strict=False))


@lru_cache(maxsize=1)
def _short_triples() -> dict[str, frozenset[tuple[str, str, str]]]:
    return {spdx: _triples(words(text)) for spdx, text in SHORT_TEXTS.items()}
