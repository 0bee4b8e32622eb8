"""SPDX ids and expressions: which kind of licence, and what AND and OR make of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from types import MappingProxyType
from typing import Literal

Category = Literal["permissive", "weak copyleft", "strong copyleft", "proprietary", "unknown"]

_PERMISSIVE = """
0BSD AFL-2.1 AFL-3.0 Apache-1.1 Apache-2.0 Artistic-2.0 BlueOak-1.0.0 BSD-1-Clause BSD-2-Clause
BSD-2-Clause-Patent BSD-3-Clause BSD-3-Clause-Clear BSD-3-Clause-LBNL BSD-4-Clause BSL-1.0
bzip2-1.0.6 CC-BY-3.0 CC-BY-4.0 CC0-1.0 CNRI-Python CNRI-Python-GPL-Compatible curl ECL-2.0
FSFAP FTL HPND ICU Info-ZIP Intel ISC libpng-2.0 Libpng MIT MIT-0 MIT-CMU MulanPSL-2.0 NCSA NTP
OpenSSL OLDAP-2.8 PHP-3.01 PostgreSQL PSF-2.0 Python-2.0 Python-2.0.1 Ruby SMLNJ Unicode-3.0
Unicode-DFS-2016 Unlicense UPL-1.0 Vim W3C WTFPL X11 Xnet Zlib zlib-acknowledgement ZPL-2.0
ZPL-2.1 LicenseRef-Public-Domain TCL
"""
_WEAK = """
CDDL-1.0 CDDL-1.1 CPL-1.0 EPL-1.0 EPL-2.0 LGPL-2.0 LGPL-2.0-only LGPL-2.0-or-later LGPL-2.1
LGPL-2.1-only LGPL-2.1-or-later LGPL-3.0 LGPL-3.0-only LGPL-3.0-or-later MPL-1.0 MPL-1.1 MPL-2.0
MPL-2.0-no-copyleft-exception MS-RL OFL-1.1 Artistic-1.0 CECILL-C EUPL-1.1 EUPL-1.2
"""
_STRONG = """
AGPL-3.0 AGPL-3.0-only AGPL-3.0-or-later CC-BY-SA-4.0 CECILL-2.1 GPL-1.0 GPL-1.0-only
GPL-1.0-or-later GPL-2.0 GPL-2.0-only GPL-2.0-or-later GPL-3.0 GPL-3.0-only GPL-3.0-or-later
OSL-3.0 Sleepycat QPL-1.0
"""
_RESTRICTED = """
BUSL-1.1 CC-BY-NC-4.0 CC-BY-ND-4.0 Elastic-2.0 JSON PolyForm-Noncommercial-1.0.0 SSPL-1.0
LicenseRef-Proprietary LicenseRef-Commons-Clause LicenseRef-NVIDIA-Proprietary
"""

CATEGORIES: MappingProxyType[str, Category] = MappingProxyType(
    {
        **dict.fromkeys(_PERMISSIVE.split(), "permissive"),
        **dict.fromkeys(_WEAK.split(), "weak copyleft"),
        **dict.fromkeys(_STRONG.split(), "strong copyleft"),
        **dict.fromkeys(_RESTRICTED.split(), "proprietary"),
    }
)
_SPELLING = MappingProxyType({known.lower(): known for known in CATEGORIES})
# From the one that asks least to the one that needs a lawyer first.
_ORDER: tuple[Category, ...] = (
    "permissive",
    "weak copyleft",
    "strong copyleft",
    "proprietary",
    "unknown",
)
_TOKEN = re.compile(r"\s*(\(|\)|[A-Za-z0-9.+:-]+)")


@dataclass(frozen=True, kw_only=True)
class Expression:
    """A parsed SPDX expression: its normal spelling, its ids and what they amount to."""

    text: str
    ids: frozenset[str]
    category: Category


class NotSpdxError(ValueError):
    """The text does not follow the grammar of SPDX expressions, or names no licence we know."""


def category_of(licence_id: str) -> Category:
    """The kind of a licence by its SPDX id; 'unknown' for ids outside the table."""
    return CATEGORIES.get(licence_id.removesuffix("+"), "unknown")


def strictest(categories: list[Category]) -> Category:
    """What holds when all of them apply: the one that asks most."""
    return max(categories, key=_ORDER.index, default="unknown")


def parse_expression(text: str) -> Expression:
    """Parse an SPDX expression such as `MIT OR (Apache-2.0 AND BSD-3-Clause)`.

    Raises NotSpdxError when it is not one. Ids are matched without regard to case;
    ids outside the table are kept and count as 'unknown'.
    Source: SPDX 2.3 annex D; PEP 639.
    """
    tokens = _TOKEN.findall(text)
    if not tokens or "".join(tokens) != re.sub(r"\s+", "", text):
        message = f"{text!r} is not an SPDX expression"
        raise NotSpdxError(message)
    parser = _Parser(tokens)
    result = parser.disjunction()
    if parser.peek() is not None:
        message = f"{text!r} has a surplus {parser.peek()!r}"
        raise NotSpdxError(message)
    return result


class _Parser:
    """Recursive descent: OR binds less than AND, AND less than WITH."""

    def __init__(self, tokens: list[str]) -> None:
        self._tokens = tokens
        self._at = 0

    def peek(self) -> str | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def _take(self) -> str:
        token = self.peek()
        if token is None:
            message = "the expression ends too early"
            raise NotSpdxError(message)
        self._at += 1
        return token

    def _joined(self, word: str, parts: list[Expression], category: Category) -> Expression:
        if len(parts) == 1:
            return parts[0]
        texts = [f"({p.text})" if word == "AND" and " OR " in p.text else p.text for p in parts]
        ids = frozenset().union(*(p.ids for p in parts))
        return Expression(text=f" {word} ".join(texts), ids=ids, category=category)

    def disjunction(self) -> Expression:
        parts = [self._conjunction()]
        while (self.peek() or "").upper() == "OR":
            self._take()
            parts.append(self._conjunction())
        # The user may choose, so the alternative that asks least counts.
        return self._joined("OR", parts, min((p.category for p in parts), key=_ORDER.index))

    def _conjunction(self) -> Expression:
        parts = [self._licence()]
        while (self.peek() or "").upper() == "AND":
            self._take()
            parts.append(self._licence())
        return self._joined("AND", parts, strictest([p.category for p in parts]))

    def _licence(self) -> Expression:
        token = self._take()
        if token == "(":  # noqa: S105 - a parenthesis is no password
            inner = self.disjunction()
            if self._take() != ")":
                message = "a parenthesis is not closed"
                raise NotSpdxError(message)
            return inner
        if token == ")" or token.upper() in {"AND", "OR", "WITH"}:  # noqa: S105
            message = f"{token!r} where a licence was expected"
            raise NotSpdxError(message)
        known = _SPELLING.get(token.lower().removesuffix("+"))
        name = (known + "+" if token.endswith("+") else known) if known else token
        text, category = name, category_of(name)
        if (self.peek() or "").upper() == "WITH":
            self._take()
            exception = self._take()
            text = f"{name} WITH {exception}"
            # Linking exceptions are what turns the GPL into something a library can live with.
            if category == "strong copyleft" and "exception" in exception.lower():
                category = "weak copyleft"
        return Expression(text=text, ids=frozenset({name}), category=category)
