"""What metadata says about a licence: the License field and the classifiers, put as SPDX ids.

A claim is a set of alternatives that its words allow: 'BSD License' allows every BSD licence,
'MIT' allows one. That is how a vague source and an exact one agree without a false conflict.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType

from dependency_review.spdx import CATEGORIES, NotSpdxError, parse_expression

_BSD = frozenset(
    {"BSD-1-Clause", "BSD-2-Clause", "BSD-3-Clause", "BSD-4-Clause", "0BSD", "BSD-3-Clause-Clear"}
)
_APACHE = frozenset({"Apache-2.0", "Apache-1.1"})
_PSF = frozenset({"PSF-2.0", "Python-2.0", "Python-2.0.1"})


def _gnu(family: str, *versions: str) -> frozenset[str]:
    return frozenset(f"{family}-{v}{end}" for v in versions for end in ("", "-only", "-or-later"))


_GPL, _LGPL = _gnu("GPL", "1.0", "2.0", "3.0"), _gnu("LGPL", "2.0", "2.1", "3.0")
_PUBLIC_DOMAIN = frozenset({"LicenseRef-Public-Domain", "Unlicense", "CC0-1.0", "0BSD", "WTFPL"})


def _one(spdx: str) -> frozenset[str]:
    return frozenset({spdx})


CLASSIFIERS = MappingProxyType(
    {
        "MIT License": _one("MIT"),
        "MIT No Attribution License (MIT-0)": _one("MIT-0"),
        "BSD License": _BSD,
        "Apache Software License": _APACHE,
        "ISC License (ISCL)": _one("ISC"),
        "Mozilla Public License 2.0 (MPL 2.0)": _one("MPL-2.0"),
        "Mozilla Public License 1.1 (MPL 1.1)": _one("MPL-1.1"),
        "Python Software Foundation License": _PSF,
        "The Unlicense (Unlicense)": _one("Unlicense"),
        "zlib/libpng License": frozenset({"Zlib", "Libpng"}),
        "Historical Permission Notice and Disclaimer (HPND)": _one("HPND"),
        "Boost Software License 1.0 (BSL-1.0)": _one("BSL-1.0"),
        "Zope Public License": frozenset({"ZPL-2.0", "ZPL-2.1"}),
        "Academic Free License (AFL)": frozenset({"AFL-2.1", "AFL-3.0"}),
        "Artistic License": frozenset({"Artistic-1.0", "Artistic-2.0"}),
        "Eclipse Public License 2.0 (EPL-2.0)": _one("EPL-2.0"),
        "Eclipse Public License 1.0 (EPL-1.0)": _one("EPL-1.0"),
        "European Union Public Licence 1.2 (EUPL 1.2)": _one("EUPL-1.2"),
        "CC0 1.0 Universal (CC0 1.0) Public Domain Dedication": _one("CC0-1.0"),
        "Public Domain": _PUBLIC_DOMAIN,
        "GNU General Public License (GPL)": _GPL,
        "GNU General Public License v2 (GPLv2)": _gnu("GPL", "2.0"),
        "GNU General Public License v2 or later (GPLv2+)": _one("GPL-2.0-or-later"),
        "GNU General Public License v3 (GPLv3)": _gnu("GPL", "3.0"),
        "GNU General Public License v3 or later (GPLv3+)": _one("GPL-3.0-or-later"),
        "GNU Lesser General Public License v2 (LGPLv2)": _gnu("LGPL", "2.0", "2.1"),
        "GNU Lesser General Public License v2 or later (LGPLv2+)": frozenset(
            {"LGPL-2.0-or-later", "LGPL-2.1-or-later"}
        ),
        "GNU Lesser General Public License v3 (LGPLv3)": _gnu("LGPL", "3.0"),
        "GNU Lesser General Public License v3 or later (LGPLv3+)": _one("LGPL-3.0-or-later"),
        "GNU Library or Lesser General Public License (LGPL)": _LGPL,
        "GNU Affero General Public License v3": _gnu("AGPL", "3.0"),
        "GNU Affero General Public License v3 or later (AGPLv3+)": _one("AGPL-3.0-or-later"),
        "Other/Proprietary License": frozenset(
            {"LicenseRef-Proprietary", "LicenseRef-NVIDIA-Proprietary"}
        ),
    }
)

_BSD3 = r"(bsd[- ]?3([- ]?clause)?|3[- ]?clause bsd|new bsd|modified bsd|revised bsd)"
_BSD2 = r"(bsd[- ]?2([- ]?clause)?|2[- ]?clause bsd|simplified bsd|freebsd)"
_VERSION2 = r"[ ,-]*(software )?(license)?[ ,-]*(version |v)?2(\.0)?"
# The whole of a phrase has to match; 'the' in front and 'license' at the end are cut off first.
_PHRASES: tuple[tuple[str, frozenset[str]], ...] = tuple(
    (pattern, ids)
    for pattern, ids in (
        (r"mit|expat|mit/x11|x11/mit|mit[- ]style", _one("MIT")),
        (r"mit-0|mit no attribution", _one("MIT-0")),
        (_BSD3, _one("BSD-3-Clause")),
        (_BSD2, _one("BSD-2-Clause")),
        (r"bsd([- ]style)?|bsd[- ]like", _BSD),
        (rf"(asl|al|apache){_VERSION2}|apache software license{_VERSION2}", _one("Apache-2.0")),
        (r"apache|apache software", _APACHE),
        (r"isc|iscl", _one("ISC")),
        (
            r"(mpl|mozilla public license)[ ,-]*(version |v)?2(\.0)?( \(mpl 2\.0\))?",
            _one("MPL-2.0"),
        ),
        (r"mpl|mozilla public", frozenset({"MPL-1.0", "MPL-1.1", "MPL-2.0"})),
        (r"psf([- ]2\.0)?|psfl|python software foundation|python", _PSF),
        (r"unlicense", _one("Unlicense")),
        (r"zlib|zlib/libpng", _one("Zlib")),
        (r"hpnd", _one("HPND")),
        (r"zpl[ -]?2\.1", _one("ZPL-2.1")),
        (r"public domain", _PUBLIC_DOMAIN),
        (r"(gpl|gnu gpl|gnu general public license)", _GPL),
        (r"(gnu )?gpl[ -]?v?(ersion )?2(\.0)?", _gnu("GPL", "2.0")),
        (r"(gnu )?gpl[ -]?v?2(\.0)?(\+| or later)", _one("GPL-2.0-or-later")),
        (
            r"(gnu )?gpl[ -]?v?(ersion )?3(\.0)?|gnu general public license v3( \(gplv3\))?",
            _gnu("GPL", "3.0"),
        ),
        (r"(gnu )?gpl[ -]?v?3(\.0)?(\+| or later)", _one("GPL-3.0-or-later")),
        (r"(gnu )?lgpl", _LGPL),
        (r"(gnu )?lgpl[ -]?v?2\.1", _gnu("LGPL", "2.1")),
        (r"(gnu )?lgpl[ -]?v?3(\.0)?", _gnu("LGPL", "3.0")),
        (r"(gnu )?lgpl[ -]?v?3(\.0)?(\+| or later)", _one("LGPL-3.0-or-later")),
        (r"(gnu )?lgpl[ -]?v?2\.1(\+| or later)", _one("LGPL-2.1-or-later")),
        (r"(gnu )?agpl[ -]?v?3(\.0)?", _gnu("AGPL", "3.0")),
        (
            r"proprietary|commercial|nvidia proprietary( software)?|closed source",
            _one("LicenseRef-Proprietary"),
        ),
    )
)
MAX_FIELD_CHARS = 200


@dataclass(frozen=True, kw_only=True)
class Claim:
    """What one source says: each part is a set of licences its words allow.

    `operator` joins the parts: 'AND', 'OR', or '?' where the source does not say.
    """

    source: str
    said: str
    parts: tuple[frozenset[str], ...]
    operator: str = "?"

    @property
    def allowed(self) -> frozenset[str]:
        """Every id that the claim is compatible with."""
        return frozenset().union(*self.parts)

    @property
    def exact(self) -> str | None:
        """The SPDX expression when nothing is left open, else None."""
        if not self.parts or any(len(part) > 1 for part in self.parts):
            return None
        ids = [next(iter(part)) for part in self.parts]
        if len(ids) == 1:
            return ids[0]
        return None if self.operator == "?" else f" {self.operator} ".join(ids)


def claim_of_field(value: str) -> Claim | None:
    """Read a short License field; None when it names no licence we can be sure of."""
    text = " ".join(value.split())
    if not text or len(text) > MAX_FIELD_CHARS:
        return None
    try:
        expression = parse_expression(text)
    except NotSpdxError:
        pass
    else:
        if all(i.removesuffix("+") in CATEGORIES for i in expression.ids):
            operators = {op for op in ("AND", "OR") if f" {op} " in expression.text}
            if len(operators) <= 1:
                parts = expression.text.replace(" AND ", " OR ").split(" OR ")
                return Claim(
                    source="License field",
                    said=text,
                    parts=tuple(_one(p) for p in parts),
                    operator=operators.pop() if operators else "?",
                )
    return _claim_of_words(text)


def _claim_of_words(text: str) -> Claim | None:
    whole = _phrase(text)
    if whole:
        return Claim(source="License field", said=text, parts=(whole,))
    for pattern, operator in (
        (r"\s+or\s+", "OR"),
        (r"\s+and\s+|\s*&\s*", "AND"),
        (r"\s*[/,;|]\s*", "?"),
    ):
        pieces = re.split(pattern, text, flags=re.IGNORECASE)
        parts = [_phrase(piece) for piece in pieces]
        if len(pieces) > 1 and all(parts):
            return Claim(
                source="License field",
                said=text,
                operator=operator,
                parts=tuple(part for part in parts if part),
            )
    return None


def _phrase(text: str) -> frozenset[str] | None:
    plain = text.strip(" .\"'").lower().replace("licence", "license")
    plain = re.sub(r"^the\s+|\s*\([^)]*\)$", "", plain)
    for candidate in (plain, re.sub(r"[\s-]+license$", "", plain)):
        for pattern, ids in _PHRASES:
            if re.fullmatch(pattern, candidate):
                return ids
    known = {spdx.lower(): spdx for spdx in CATEGORIES}.get(plain)
    return _one(known) if known else None


def claim_of_classifiers(classifiers: list[str]) -> Claim | None:
    """Read the `License ::` classifiers; several of them do not say whether AND or OR."""
    said = [c for c in classifiers if c.startswith("License ::")]
    names = [c.split("::")[-1].strip() for c in said]
    parts = [CLASSIFIERS[name] for name in dict.fromkeys(names) if name in CLASSIFIERS]
    if not parts:
        return None
    return Claim(source="classifiers", said="; ".join(said), parts=tuple(parts))
