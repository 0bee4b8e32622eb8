"""Reading installed distributions into events: everything an agent needs, nothing more."""

from __future__ import annotations

import base64
import contextlib
import io
import json
import platform
import re
import sys
import zipfile
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path, PurePosixPath
from typing import Any

from dependency_review.dependencies import parse
from dependency_review.package import Package
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

MAX_TEXT_BYTES = 256 * 1024
MAX_ZIP_BYTES = 6 * 1024 * 1024
MAX_FILES_LISTED = 20_000
_LICENCE = re.compile(r"licen|copying|copyright", re.IGNORECASE)
_NOT_TEXT = (".py", ".pyc", ".pyi", ".so", ".json", ".html", ".js", ".css")


def collect(
    *, site_packages: Path | None = None, requirements: Path | None = None, limit: int | None = None
) -> list[Package]:
    """Read distributions in the order of the alphabet.

    `site_packages` reads another environment than the running one; `requirements` keeps the
    named distributions and what they need. A requirement that is not installed comes back with
    `installed=False`. Raises FileNotFoundError for paths that do not exist.
    """
    for path in (site_packages, requirements):
        if path is not None and not path.exists():
            raise FileNotFoundError(path)
    found: dict[str, metadata.Distribution] = {}
    for one in metadata.distributions(path=[str(site_packages)] if site_packages else sys.path):
        if name := _name(one):
            found.setdefault(canonicalize_name(name), one)  # of duplicates the first counts
    graph = Graph(
        {name: parse(_headers(one).get("requires-dist", ()))[0] for name, one in found.items()}
    )
    names = graph.closure(wanted(requirements)) if requirements else set(found)
    return [_package(name, found.get(name), graph) for name in sorted(names)[:limit]]


def wanted(path: Path, seen: frozenset[Path] = frozenset()) -> dict[str, set[str]]:
    """Map each distribution that a requirements file names (normalised) to the extras asked for.

    Follows `-r other.txt`; reads names out of URLs with `#egg=`; skips options and hashes.
    """
    names: dict[str, set[str]] = {}
    for raw in path.read_text(errors="replace").replace("\\\n", " ").splitlines():
        line = re.sub(r"(^|\s)#.*$", "", raw).strip()
        if include := re.match(r"(?:-r|--requirement)[= ]\s*(\S+)", line):
            other = (path.parent / include[1]).resolve()
            more = {} if other in seen else wanted(other, seen | {path.resolve()})
        elif egg := re.search(r"[#&]egg=([\w.-]+)", line):
            more = {canonicalize_name(egg[1]): set()}
        else:
            parsed, _ = parse([re.split(r"(?:^|\s)-", line, maxsplit=1)[0]])
            more = {canonicalize_name(r.name): r.extras for r in parsed}
        for name, extras in more.items():
            names.setdefault(name, set()).update(extras)
    return names


@dataclass(frozen=True)
class Graph:
    """Who needs whom among the installed distributions (by normalised name)."""

    requirements: Mapping[str, list[Requirement]]

    def needs(self, name: str, extras: Iterable[str] = ()) -> dict[str, set[str]]:
        """What a distribution needs here, each with the extras of it that are asked for."""
        needed: dict[str, set[str]] = {}
        for r in self.requirements.get(name, ()):
            if not r.marker or any(r.marker.evaluate({"extra": e}) for e in ("", *extras)):
                needed.setdefault(canonicalize_name(r.name), set()).update(r.extras)
        return needed

    def closure(self, names: Mapping[str, Iterable[str]]) -> set[str]:
        """The names (with their extras) and everything they need, installed or not."""
        seen: set[tuple[str, frozenset[str]]] = set()
        todo = {(name, frozenset(extras)) for name, extras in names.items()}
        while todo:
            seen |= todo
            needs = [self.needs(*one).items() for one in todo]
            todo = {(n, frozenset(extras)) for need in needs for n, extras in need} - seen
        return {name for name, _ in seen}

    def cycle(self, name: str) -> list[str]:
        """The shortest way from a distribution back to itself; empty when there is none."""
        paths, seen = [[name]], set[str]()
        while paths:
            path = paths.pop(0)
            needs = sorted(self.needs(path[-1]))
            if name in needs:
                return [*path, name]
            paths += [[*path, need] for need in needs if need not in seen]
            seen.update(needs)
        return []


def _package(name: str, found: metadata.Distribution | None, graph: Graph) -> Package:
    place: dict[str, Any] = {
        "python_version": platform.python_version(),
        "collected_on": datetime.now(UTC).date(),
        "required_by": sorted(o for o in graph.requirements if name in graph.needs(o).keys() - {o}),
        "missing": sorted(graph.needs(name).keys() - graph.requirements.keys()),
        "cycle": graph.cycle(name),
    }
    if found is None:
        return Package(name=name, installed=False, **place)
    headers = _headers(found)
    readme = "\n".join(headers.pop("description", [])).strip()
    recorded = [str(f) for f in found.files or () if f.suffix != ".pyc"][:MAX_FILES_LISTED]
    files = {path: Path(str(found.locate_file(path))) for path in recorded}
    zipped, included = zip_sources({p: at for p, at in files.items() if p.endswith(".py")})
    return Package(
        name=_name(found) or name,
        version=(headers.get("version") or [""])[0].strip() or None,
        headers=headers,
        readme=readme[:MAX_TEXT_BYTES],
        file_sizes=None if found.files is None else {p: _size(at) for p, at in files.items()},
        console_scripts=[e.name for e in found.entry_points if e.group.endswith("_scripts")],
        licence_files={p: _text(at) for p, at in files.items() if _is_licence(p)},
        start_up_files={p: _text(at) for p, at in files.items() if p.endswith(".pth")},
        direct_url=json.loads(found.read_text("direct_url.json") or "{}").get("url"),  # PEP 610
        source_zip_b64=zipped,
        source_files_total=sum(path.endswith(".py") for path in files),
        source_files_included=included,
        **place,
    )


def _headers(found: metadata.Distribution) -> dict[str, list[str]]:
    """The metadata's headers, lower-case; none where it is missing or not UTF-8."""
    headers: dict[str, list[str]] = {}
    with contextlib.suppress(OSError, UnicodeDecodeError, AttributeError):
        message: Any = found.metadata
        for key, value in message.items():
            headers.setdefault(key.lower(), []).append(_clean(value))
        # Since metadata 2.1 the README is the message's body.
        headers.setdefault("description", [_clean(message.get_payload())])
    return headers


def _name(found: metadata.Distribution) -> str:
    """The declared name, or the one in the folder's name when the metadata has none."""
    folder = PurePosixPath(str(getattr(found, "_path", ""))).name.split("-")[0]
    return _headers(found).get("name", [""])[0].strip() or folder


def _clean(text: object) -> str:
    """Replace lone surrogates (bytes that were not UTF-8): they cannot travel as JSON."""
    return str(text or "").encode(errors="surrogateescape").decode(errors="replace")


def _is_licence(path: str) -> bool:
    named = _LICENCE.search(PurePosixPath(path).name) or "-info/licenses/" in path
    return bool(named) and not path.endswith(_NOT_TEXT)


def _text(place: Path) -> str:
    content = place.read_bytes()[:MAX_TEXT_BYTES] if place.is_file() else b""
    return content.decode(errors="replace")


def _size(place: Path) -> int | None:
    return place.stat().st_size if place.exists() else None


def zip_sources(places: Mapping[str, Path], max_bytes: int = MAX_ZIP_BYTES) -> tuple[str, int]:
    """Zip files from small to large up to a size; return it as base64, and how many went in."""
    there = sorted((size, path) for path, at in places.items() if (size := _size(at)) is not None)
    buffer, included = io.BytesIO(), 0
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED, compresslevel=3) as archive:
        for size, path in there:
            # Source shrinks to a quarter or less; a third leaves room for the directory.
            if buffer.tell() + size // 3 > max_bytes:
                break
            # A fixed time stamp: the same source makes the same event.
            archive.writestr(zipfile.ZipInfo(path), places[path].read_bytes(), zipfile.ZIP_DEFLATED)
            included += 1
    return base64.b64encode(buffer.getvalue()).decode("ascii"), included
