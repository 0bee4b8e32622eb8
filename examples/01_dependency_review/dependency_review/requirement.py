"""Reading requirement lines and environment markers without any dependency.

Source: https://packaging.python.org/en/latest/specifications/dependency-specifiers/.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from dependency_review.package import canonical_name

_REQUIREMENT = re.compile(
    r"^\s*(?P<name>[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:\[(?P<extras>[^\]]*)\])?\s*"
    r"(?:@\s*(?P<url>\S+)|\(?(?P<spec>[^;()@]*)\)?)\s*(?:;(?P<marker>.*))?$",
)
_CLAUSE = re.compile(r"^\s*(===|==|~=|!=|<=|>=|<|>)\s*([^\s,]+)\s*$")
_EXTRA = re.compile(r"""\bextra\s*==\s*['"]([^'"]+)['"]""")
_MARKER_TOKEN = re.compile(
    r"""\s*(\(|\)|===|==|~=|!=|<=|>=|<|>|'[^']*'|"[^"]*"|not\s+in\b|in\b|and\b|or\b|[a-z_.]+)""",
)


class NotARequirementError(ValueError):
    """The line does not follow the grammar of dependency specifiers."""


@dataclass(frozen=True, kw_only=True)
class Requirement:
    """One requirement: a name, clauses such as ('>=', '2'), a URL, a marker."""

    name: str
    clauses: tuple[tuple[str, str], ...] = ()
    extras: tuple[str, ...] = ()
    url: str | None = None
    marker: str = ""

    @property
    def extra(self) -> str | None:
        """The optional feature that asks for it; None when it is always needed."""
        found = _EXTRA.search(self.marker)
        return found.group(1) if found else None

    @property
    def is_pinned(self) -> bool:
        """Whether exactly one version fits (`==1.2` or `===1.2`, not `==1.*`)."""
        return any(op in {"==", "==="} and not v.endswith(".*") for op, v in self.clauses)

    @property
    def is_upper_bounded(self) -> bool:
        """Whether some future version is shut out."""
        return any(op in {"<", "<=", "~=", "==", "==="} for op, _ in self.clauses)


def parse_requirement(line: str) -> Requirement:
    """Parse one requirement line. Raises NotARequirementError when it is none."""
    found = _REQUIREMENT.match(line)
    if not found:
        raise NotARequirementError(line)
    clauses = []
    for piece in (found["spec"] or "").split(","):
        if not piece.strip():
            continue
        clause = _CLAUSE.match(piece)
        if not clause:
            raise NotARequirementError(line)
        clauses.append((clause[1], clause[2]))
    extras = tuple(e.strip() for e in (found["extras"] or "").split(",") if e.strip())
    return Requirement(
        name=found["name"],
        clauses=tuple(clauses),
        extras=extras,
        url=found["url"],
        marker=(found["marker"] or "").strip(),
    )


def release(version: str) -> tuple[int, ...]:
    """The numeric release part of a version, without trailing zeros: '3.10.0rc1' is (3, 10)."""
    found = re.match(r"v?(?:\d+!)?(\d+(?:\.\d+)*)", version.strip())
    numbers = [int(n) for n in found.group(1).split(".")] if found else []
    while numbers and numbers[-1] == 0:
        numbers.pop()
    return tuple(numbers)


def allows(clauses: tuple[tuple[str, str], ...], version: str) -> bool:
    """Whether a final release such as '3.12' fits every clause. Pre-releases are not modelled."""
    return all(_fits(op, wanted, version) for op, wanted in clauses)


def _fits(operator: str, wanted: str, version: str) -> bool:
    have, want = release(version), release(wanted.removesuffix(".*"))
    if wanted.endswith(".*") or operator == "~=":
        depth = wanted.removesuffix(".*").count(".") + 1
        prefix = depth - 1 if operator == "~=" else depth
        padded_have = (have + (0,) * prefix)[:prefix]
        same = padded_have == (want + (0,) * prefix)[:prefix]
        if operator == "~=":
            return same and have >= want
        return same if operator == "==" else not same
    return {
        "==": have == want,
        "===": have == want,
        "!=": have != want,
        "<": have < want,
        "<=": have <= want,
        ">": have > want,
        ">=": have >= want,
    }[operator]


def applies(marker: str, environment: Mapping[str, str]) -> bool:
    """Evaluate an environment marker; one that cannot be read counts as true.

    `environment` has the marker variables of the specification ('python_version', 'extra', ...).
    """
    if not marker:
        return True
    tokens = _MARKER_TOKEN.findall(marker)
    if "".join(tokens).replace(" ", "") != re.sub(r"\s+", "", marker):
        return True
    try:
        value, rest = _either(tokens, environment)
    except (IndexError, KeyError):
        return True
    return value if not rest else True


def _either(tokens: list[str], env: Mapping[str, str]) -> tuple[bool, list[str]]:
    value, rest = _both(tokens, env)
    while rest and rest[0] == "or":
        right, rest = _both(rest[1:], env)
        value = value or right
    return value, rest


def _both(tokens: list[str], env: Mapping[str, str]) -> tuple[bool, list[str]]:
    value, rest = _comparison(tokens, env)
    while rest and rest[0] == "and":
        right, rest = _comparison(rest[1:], env)
        value = value and right
    return value, rest


def _comparison(tokens: list[str], env: Mapping[str, str]) -> tuple[bool, list[str]]:
    if tokens[0] == "(":
        value, rest = _either(tokens[1:], env)
        return value, rest[1:]
    left, operator, right = tokens[0], " ".join(tokens[1].split()), tokens[2]
    a, b = _marker_value(left, env), _marker_value(right, env)
    if operator in {"in", "not in"}:
        return (a in b) == (operator == "in"), tokens[3:]
    if "version" in left or "version" in right:
        # With the variable on the right the comparison is mirrored.
        if left[0] in "'\"":
            a, b, operator = (
                b,
                a,
                {"<": ">", ">": "<", "<=": ">=", ">=": "<="}.get(operator, operator),
            )
        return _fits(operator, b, a), tokens[3:]
    if "extra" in (left, right):
        a, b = canonical_name(a), canonical_name(b)
    return {"==": a == b, "!=": a != b}.get(operator, True), tokens[3:]


def _marker_value(token: str, env: Mapping[str, str]) -> str:
    return token[1:-1] if token[0] in "'\"" else env[token]
