"""A distribution's Python source: which file is whose, and each one's syntax tree."""

from __future__ import annotations

import ast
import base64
import io
import re
import warnings
import zipfile
from collections.abc import Callable, Iterator
from typing import NamedTuple

from dependency_review.package import Package

# Parsing takes about 40 times a file's size in memory, and seconds for each 10 MiB.
MAX_FILE_BYTES, MAX_PARSED_BYTES = 4 << 20, 20 << 20
_TEST = re.compile(
    r"(^|/)(tests?|_tests?|[a-z_]+_tests)/|(^|/)(test_[^/]*|[^/]*_test|conftest)\.py$"
    # Only at the top: `botocore/docs/` and `celery/app/tasks.py` are code that users run.
    r"|^(docs?|examples?|benchmarks?|samples?)/|^(setup|noxfile|tasks)\.py$"
)
_VENDORED = re.compile(r"(?:^|/)(?:_?vendor(?:ed)?|third_party|extern(?:al)?)/([^/]*)")
_PYTHON_2 = re.compile(rb"(?m)^\s*(print\s+[\"'%\w]|except\s+[\w.]+\s*,\s*\w+\s*:|exec\s+[\"'\w])")


def is_test(path: str) -> bool:
    """Whether users of the package would not normally run this file."""
    return bool(_TEST.search(path))


def vendored(path: str) -> str | None:
    """Return what follows `_vendor/` in the path: a copy of somebody else's code. None: own."""
    found = _VENDORED.search(path)
    return found[1] if found else None


def is_metadata(path: str) -> bool:
    """Whether a path is the installer's own record and not part of the package."""
    return bool(re.search(r"\.(dist|egg)-info(/|$)", path))


class Module(NamedTuple):
    """One source file with its tree, or with the reason why it has none."""

    path: str
    content: bytes
    tree: ast.Module | None = None
    error: str = ""
    too_large: bool = False


def modules(package: Package, wanted: Callable[[bytes], object] = bool) -> Iterator[Module]:
    """Yield the files one at a time, vendored copies last, parsed where `wanted` says so."""
    budget = MAX_PARSED_BYTES
    archive = _archive(package)
    for path in sorted(archive.namelist() if archive else (), key=lambda p: vendored(p) or ""):
        content = archive.read(path) if archive else b""
        if not wanted(content):
            yield Module(path, content)
        elif len(content) > min(budget, MAX_FILE_BYTES):
            yield Module(path, content, too_large=True)
        else:
            budget -= len(content)
            yield _parsed(path, content)


def unread(package: Package) -> list[str]:
    """Say in words which part of the source no agent can have looked at."""
    total, included = package.source_files_total, package.source_files_included
    if not package.installed:
        return ["the distribution is not installed, so its source could not be read"]
    if package.source_zip_b64 and _archive(package) is None:
        return ["the source archive in the event is damaged"]
    left = f"{total - included} of {total} source files did not fit into the event"
    return [left] if included < total else []


def _archive(package: Package) -> zipfile.ZipFile | None:
    try:
        return zipfile.ZipFile(io.BytesIO(base64.b64decode(package.source_zip_b64)))
    except (ValueError, zipfile.BadZipFile):
        return None


def _parsed(path: str, content: bytes) -> Module:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # other people's bad escapes are not our output
            return Module(path, content, ast.parse(content))
    except SyntaxError as error:
        why = "looks like Python 2" if _PYTHON_2.search(content) else f"syntax error: {error.msg}"
    except (ValueError, LookupError):
        why = "not valid text in its declared encoding"
    except (RecursionError, MemoryError):
        why = "nested too deeply to parse"
    return Module(path, content, error=why)
