"""Reading installed distributions into events: everything an agent needs, nothing more."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path, PurePosixPath

from dependency_review.package import (
    EntryPoint,
    Environment,
    InstalledFile,
    Package,
    TextFile,
    canonical_name,
)
from graph import Graph
from requirements_file import wanted_names
from source_zip import zip_sources

MAX_TEXT_BYTES = 256 * 1024
MAX_FILES_LISTED = 20_000
LICENCE_WORDS = ("licen", "copying", "unlicense", "copyright")
NOT_TEXT = (".py", ".pyc", ".pyi", ".so", ".json", ".html", ".js", ".css")


def collect(
    *,
    site_packages: Path | None = None,
    requirements: Path | None = None,
    limit: int | None = None,
) -> list[Package]:
    """Read distributions in the order of the alphabet.

    `site_packages` reads another environment than the running one; `requirements` keeps the
    named distributions and what they need. A requirement that is not installed comes back with
    `installed=False`. Raises FileNotFoundError for paths that do not exist.
    """
    for path in (site_packages, requirements):
        if path is not None and not path.exists():
            raise FileNotFoundError(path)
    found = installed(site_packages)
    graph = Graph.of(found, marker_environment())
    names = sorted(found)
    if requirements is not None:
        names = sorted(graph.closure(wanted_names(requirements)))
    return [_package(name, found.get(name), graph) for name in names[:limit]]


def installed(site_packages: Path | None) -> dict[str, metadata.Distribution]:
    """Every distribution by its normalised name; of duplicates the first on the path counts."""
    paths = [str(site_packages)] if site_packages else sys.path
    found: dict[str, metadata.Distribution] = {}
    for distribution in metadata.distributions(path=paths):
        name = _name(distribution)
        if name:
            found.setdefault(canonical_name(name), distribution)
    return found


def marker_environment() -> dict[str, str]:
    """The marker variables of the running interpreter. Source: PEP 508."""
    return {
        "python_version": ".".join(platform.python_version_tuple()[:2]),
        "python_full_version": platform.python_version(),
        "os_name": os.name,
        "sys_platform": sys.platform,
        "platform_machine": platform.machine(),
        "platform_python_implementation": platform.python_implementation(),
        "platform_release": platform.release(),
        "platform_system": platform.system(),
        "platform_version": platform.version(),
        "implementation_name": sys.implementation.name,
        "implementation_version": platform.python_version(),
        "extra": "",
    }


def _name(distribution: metadata.Distribution) -> str | None:
    """The declared name, or the one in the folder's name when the metadata has none."""
    name = _headers(distribution).get("name", [""])[0].strip()
    if name:
        return name
    folder = getattr(distribution, "_path", None)
    return PurePosixPath(str(folder)).name.split("-")[0] if folder else None


def _headers(distribution: metadata.Distribution) -> dict[str, list[str]]:
    try:
        message = distribution.metadata
    except (OSError, UnicodeDecodeError):
        return {}
    if message is None:  # a folder without METADATA, whatever the annotation says
        return {}
    # A header that repeats is named once for each of its values.
    names = dict.fromkeys(key.lower() for key in message)
    return {name: [_clean(str(v)) for v in message.get_all(name) or ()] for name in names}


def _package(name: str, distribution: metadata.Distribution | None, graph: Graph) -> Package:
    environment = Environment(
        python_version=platform.python_version(),
        collected_on=datetime.now(UTC).date(),
        required_by=graph.required_by(name),
        missing=graph.missing(name),
        cycle=graph.cycle(name),
    )
    if distribution is None:
        return Package(name=name, installed=False, environment=environment)
    headers = _headers(distribution)
    readme = "\n\n".join(headers.pop("description", [])) or _body(distribution)
    recorded = _recorded(distribution)
    sources = zip_sources(_located(distribution, recorded or [], (".py",)))
    return Package(
        name=_name(distribution) or name,
        version=(headers.get("version") or [""])[0].strip() or None,
        headers=headers,
        readme=readme[:MAX_TEXT_BYTES],
        files=None if recorded is None else _sizes(distribution, recorded),
        entry_points=[
            EntryPoint(group=e.group, name=e.name, value=e.value) for e in distribution.entry_points
        ],
        licence_files=_texts(_located(distribution, [p for p in recorded or [] if _is_licence(p)])),
        start_up_files=_texts(_located(distribution, recorded or [], (".pth",))),
        wheel=_wheel(distribution),
        direct_url=_direct_url(distribution),
        installer=(distribution.read_text("INSTALLER") or "").strip() or None,
        top_level=(distribution.read_text("top_level.txt") or "").split(),
        environment=environment,
        source_zip_b64=sources.b64,
        source_files_total=sources.total,
        source_files_included=sources.included,
        source_truncated=sources.included < sources.total,
    )


def _body(distribution: metadata.Distribution) -> str:
    """The README: since metadata 2.1 it is the message's body."""
    try:
        message = distribution.metadata
        payload = message.get_payload() if message else ""  # type: ignore[attr-defined]
    except (OSError, UnicodeDecodeError):
        return ""
    return _clean(payload) if isinstance(payload, str) else ""


def _clean(text: str) -> str:
    """Replace lone surrogates (bytes that were not UTF-8): they cannot travel as JSON."""
    return text.encode("utf-8", errors="surrogateescape").decode("utf-8", errors="replace")


def _recorded(distribution: metadata.Distribution) -> list[str] | None:
    """Paths in the installer's record; None when it kept none."""
    try:
        files = distribution.files
    except (OSError, ValueError):
        return None
    if files is None:
        return None
    return [str(f) for f in files][:MAX_FILES_LISTED]


def _located(
    distribution: metadata.Distribution,
    recorded: Iterable[str],
    suffixes: tuple[str, ...] = (),
) -> Iterator[tuple[str, Path]]:
    for path in recorded:
        if suffixes and not path.endswith(suffixes):
            continue
        yield path, Path(str(distribution.locate_file(path)))


def _sizes(distribution: metadata.Distribution, recorded: list[str]) -> list[InstalledFile]:
    listed = []
    for path, place in _located(distribution, recorded):
        # Byte code is the installer's doing: it says nothing about the package.
        if path.endswith(".pyc"):
            continue
        try:
            listed.append(InstalledFile(path=path, size_bytes=place.stat().st_size))
        except OSError:
            listed.append(InstalledFile(path=path))
    return listed


def _is_licence(path: str) -> bool:
    name = PurePosixPath(path).name.lower()
    in_folder = "-info/licenses/" in path
    return (in_folder or any(w in name for w in LICENCE_WORDS)) and not name.endswith(NOT_TEXT)


def _texts(places: Iterable[tuple[str, Path]]) -> list[TextFile]:
    texts = []
    for path, place in places:
        try:
            content = place.read_bytes()[:MAX_TEXT_BYTES]
        except OSError:
            continue
        texts.append(TextFile(path=path, text=content.decode("utf-8", errors="replace")))
    return texts


def _wheel(distribution: metadata.Distribution) -> dict[str, list[str]]:
    """The WHEEL file's fields: which tool built it, for which platforms."""
    fields: dict[str, list[str]] = {}
    for line in (distribution.read_text("WHEEL") or "").splitlines():
        key, _, value = line.partition(":")
        if value:
            fields.setdefault(key.strip().lower(), []).append(value.strip())
    return fields


def _direct_url(distribution: metadata.Distribution) -> str | None:
    """Where it was installed from when not from an index. Source: PEP 610."""
    try:
        url = json.loads(distribution.read_text("direct_url.json") or "{}").get("url")
    except (ValueError, AttributeError):
        return None
    return str(url) if url else None
