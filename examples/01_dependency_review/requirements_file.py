"""Reading the names out of a requirements file."""

from __future__ import annotations

import re
from pathlib import Path

from dependency_review.package import canonical_name
from dependency_review.requirement import NotARequirementError, parse_requirement

_EGG = re.compile(r"[#&]egg=([A-Za-z0-9._-]+)")


def wanted_names(path: Path, *, seen: frozenset[Path] = frozenset()) -> dict[str, set[str]]:
    """Map each named distribution (normalised) to the extras asked for.

    Follows `-r other.txt`; reads names out of URLs with `#egg=`; skips options, hashes and
    lines that name nothing. Raises FileNotFoundError when a file is not there.
    """
    wanted: dict[str, set[str]] = {}
    text = path.read_text(encoding="utf-8", errors="replace").replace("\\\n", " ")
    for raw in text.splitlines():
        line = re.sub(r"(^|\s)#.*$", "", raw).strip()
        include = re.match(r"(?:-r|--requirement)[= ]\s*(\S+)", line)
        if include:
            other = (path.parent / include.group(1)).resolve()
            if other not in seen:
                for name, extras in wanted_names(other, seen=seen | {path.resolve()}).items():
                    wanted.setdefault(name, set()).update(extras)
            continue
        egg = _EGG.search(line)
        if egg:
            wanted.setdefault(canonical_name(egg.group(1)), set())
            continue
        line = re.split(r"\s--", line, maxsplit=1)[0]
        if not line or line.startswith("-"):
            continue
        try:
            requirement = parse_requirement(line)
        except NotARequirementError:
            continue
        wanted.setdefault(canonical_name(requirement.name), set()).update(requirement.extras)
    return wanted
