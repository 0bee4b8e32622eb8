# ruff: noqa: E501 - a row of a table stays one row
"""Which licence a text is, by sentences that only it has; and which one a spelling means.

Source of the ids and the wording: https://spdx.org/licenses/.
"""

from __future__ import annotations

import re

_WITH_OR_WITHOUT = "for any purpose with or without fee is hereby granted"
_BSD = "redistribution and use in source and binary forms"
_ADVERTISING = "all advertising materials mentioning features or use"
_ENDORSE = "endorse or promote products derived"
_MIT = "permission is hereby granted free of charge to any person obtaining a copy of this software"
_APACHE_1 = "apache software license version 1.1"

# fmt: off
# The licence, the phrases that have to be there, and those that make it another one.
TEXTS: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("MIT", (_MIT, "permission notice shall be included"), ("good not evil", "advertising or otherwise to promote the sale")),
    ("MIT-0", (_MIT,), ("permission notice shall be included",)),
    ("JSON", (_MIT, "shall be used for good not evil"), ()),
    ("X11", (_MIT, "advertising or otherwise to promote the sale"), ()),
    ("BSD-2-Clause", (_BSD,), (_ENDORSE, _ADVERTISING, _APACHE_1)),
    ("BSD-3-Clause", (_BSD, _ENDORSE), (_ADVERTISING, _APACHE_1)),
    ("BSD-4-Clause", (_BSD, _ADVERTISING), ()),
    ("ISC", (_WITH_OR_WITHOUT, "permission notice appear in all copies"), ("supporting documentation",)),
    ("0BSD", (_WITH_OR_WITHOUT,), ("permission notice appear in all copies", "psf hereby grants")),
    ("HPND", ("permission to use copy modify and distribute this software and its documentation", "supporting documentation"), ("psf hereby grants", "by obtaining using and or copying")),
    ("MIT-CMU", ("by obtaining using and or copying this software and or its associated documentation",), ()),
    ("PSF-2.0", ("psf hereby grants licensee",), ()),
    ("CNRI-Python", ("cnri hereby grants licensee",), ("psf hereby grants",)),
    ("Zlib", ("altered source versions must be plainly marked as such",), ()),
    ("Unlicense", ("free and unencumbered software released into the public domain",), ()),
    ("BSL-1.0", ("any person or organization obtaining a copy of the software and accompanying documentation",), ()),
    ("Apache-1.1", (_APACHE_1,), ()),
    ("Apache-2.0", ("apache license version 2.0 january 2004", "grant of copyright license"), ()),
    ("Apache-2.0", ("licensed under the apache license version 2.0",), ()),
    ("MPL-1.1", ("mozilla public license version 1.1",), ()),
    ("MPL-2.0", ("mozilla public license version 2.0", "covered software"), ()),
    ("MPL-2.0", ("subject to the terms of the mozilla public license v. 2.0",), ()),
    ("EPL-2.0", ("eclipse public license v 2.0", "contributor"), ()),
    ("CC0-1.0", ("cc0 1.0 universal", "statement of purpose"), ()),
    ("AFL-2.1", ("academic free license", "version 2.1"), ()),
    ("Artistic-2.0", ("the artistic license 2.0", "standard version"), ()),
    ("ZPL-2.1", ("zope public license zpl version 2.1",), ()),
    ("WTFPL", ("do what the fuck you want to public license",), ()),
    ("BUSL-1.1", ("business source license 1.1", "additional use grant"), ()),
    ("SSPL-1.0", ("server side public license", "version 1 october 16 2018"), ()),
    ("Elastic-2.0", ("elastic license 2.0", "hosted or managed service"), ()),
    ("LicenseRef-Commons-Clause", ("commons clause", "license condition"), ()),
)
# What a whole spelling means, without 'the' before and 'license' behind it.
SPELLINGS: tuple[tuple[str, str], ...] = (
    (r"mit([- ]style|/x11)?|x11/mit|expat", "MIT"),
    (r"bsd[- ]?3([- ]?clause)?|(3[- ]?clause|new|modified|revised) bsd", "BSD-3-Clause"),
    (r"bsd[- ]?2([- ]?clause)?|(2[- ]?clause|simplified) bsd|freebsd", "BSD-2-Clause"),
    (r"bsd([- ](style|like))?", "0BSD BSD-1-Clause BSD-2-Clause BSD-3-Clause BSD-4-Clause BSD-3-Clause-Clear"),
    (r"(asl|al|apache)( software)?( license)?[ ,-]*(version |v)?2(\.0)?", "Apache-2.0"),
    (r"apache( software)?", "Apache-1.1 Apache-2.0"),
    (r"iscl?", "ISC"),
    (r"(mpl|mozilla public license)[ ,-]*(version |v)?2(\.0)?", "MPL-2.0"),
    (r"mpl|mozilla public", "MPL-1.0 MPL-1.1 MPL-2.0"),
    (r"psfl?|python( software foundation)?", "PSF-2.0"),
    (r"zlib(/libpng)?", "Zlib"),
    (r"zope public", "ZPL-2.0 ZPL-2.1"),
    (r"artistic", "Artistic-1.0 Artistic-2.0"),
    (r"public domain", "LicenseRef-Public-Domain Unlicense CC0-1.0 0BSD WTFPL"),
    (r"(other/)?proprietary|commercial|(nvidia )?proprietary( software)?|closed source", "LicenseRef-Proprietary"),
)
# fmt: on
_GNU_FULL = re.compile(
    r"gnu (affero |lesser |library )?general public license version (\d(?:\.\d)?)(?= (?:\d+ )?\w+ \d{4})"
)
_GNU_NOTICE = re.compile(
    r"gnu (affero |lesser |library )?general public license as published by the free software "
    r"foundation either version (\d(?:\.\d)?) of the license or at your option any later"
)
_GNU_SPELLING = re.compile(
    r"(?:gnu )?(l|a|lesser |library or lesser |affero )?(?:gpl|general public license)"
    r"[ -]?(?:v|version )?(\d(?:\.\d)?)?(\+| or later)?"
)


def licences_of(text: str) -> list[frozenset[str]]:
    """Name every licence whose wording is in the text; a GNU text leaves open 'or later'."""
    text = re.sub(r"\[([^\]]+)\]\([^)]*\)|https?://\S+", r" \1 ", text[:400_000].lower())
    words = re.findall(r"v\.(?= )|[a-z0-9]+(?:\.[a-z0-9]+)*", text.replace("licence", "license"))
    plain = " ".join(words)
    found = {
        frozenset({spdx}): None
        for spdx, wanted, unwanted in TEXTS
        if all(w in plain for w in wanted) and not any(u in plain for u in unwanted)
    }
    full = [_gnu(kind, version, "") for kind, version in _GNU_FULL.findall(plain)]
    # The full texts end in such a notice, as advice.
    notices = (
        [] if full else [_gnu(kind, version, "+") for kind, version in _GNU_NOTICE.findall(plain)]
    )
    return [*dict.fromkeys([*found, *full, *notices])]


def meant_by(spelling: str) -> frozenset[str]:
    """Every licence that a usual spelling, such as 'BSD License' or 'GPLv3+', may mean."""
    plain = spelling.strip(" .\"'").lower().replace("licence", "license")
    plain = re.sub(r"^the\s+|\s*\([^)]*\)$", "", plain)
    for candidate in (plain, re.sub(r"[\s-]+license$", "", plain)):
        gnu = _GNU_SPELLING.fullmatch(candidate.replace(".0", ""))
        if gnu:
            return _gnu(*gnu.groups(default=""))
        for pattern, ids in SPELLINGS:
            if re.fullmatch(pattern, candidate):
                return frozenset(ids.split())
    return frozenset()


def _gnu(kind: str, version: str, later: str) -> frozenset[str]:
    family = {"": "GPL", "a": "AGPL"}.get(kind[:1], "LGPL")
    versions = {"GPL": "1.0 2.0 3.0", "LGPL": "2.0 2.1 3.0", "AGPL": "3.0"}[family].split()
    ends = ("or-later",) if later else ("only", "or-later")
    fits = [v for v in versions if v.startswith(version)]
    return frozenset(f"{family}-{v}-{end}" for v in fits for end in ends)
