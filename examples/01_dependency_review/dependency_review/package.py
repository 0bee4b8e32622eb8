"""What travels to the agents: one installed distribution, complete enough to review elsewhere.

A function in the cloud cannot read the caller's disk, so the event carries everything that
the agents look at: metadata headers, README, file list, licence texts and the Python source.
"""

from __future__ import annotations

import base64
import binascii
import io
import re
import zipfile
from collections.abc import Iterator
from datetime import date
from pathlib import PurePosixPath
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

Severity = Literal["high", "medium", "low"]
Confidence = Literal["certain", "high", "medium", "low"]

TEST_PATH = re.compile(
    r"(^|/)(tests?|_tests?|[a-z_]+_tests)/|(^|/)(test_[^/]*|[^/]*_test|conftest)\.py$"
)
# Only at the top: `botocore/docs/` and `celery/app/tasks.py` are code that users run.
SIDE_PATH = re.compile(r"^(docs?|examples?|benchmarks?|samples?)/|^(setup|noxfile|tasks)\.py$")
VENDORED_PATH = re.compile(r"(^|/)(_?vendor(ed)?|third_party|extern(al)?)/")


class Frozen(BaseModel):
    """A value: it never changes and takes no field it does not know."""

    model_config = ConfigDict(frozen=True, extra="forbid")


class Finding(BaseModel):
    """What one agent found out; `unknowns` says in words what it could not."""

    model_config = ConfigDict(frozen=True)

    unknowns: list[str] = Field(default_factory=list)


class InstalledFile(Frozen):
    """One file the installer recorded; its size is None when the file is not there."""

    path: str
    size_bytes: int | None = None


class TextFile(Frozen):
    """A small text file carried whole: a licence, or a `.pth` start-up hook."""

    path: str
    text: str


class EntryPoint(Frozen):
    """One declared entry point, such as a console script."""

    group: str
    name: str
    value: str


class SourceFile(Frozen):
    """One Python source file as bytes: its encoding is part of the source."""

    path: str
    content: bytes

    @property
    def is_test(self) -> bool:
        """Whether users of the package would not normally run this file."""
        return is_test_path(self.path)


class Environment(Frozen):
    """What only the caller can see: the other distributions and the interpreter."""

    python_version: str = ""
    collected_on: date | None = None
    required_by: list[str] = Field(default_factory=list)
    missing: list[str] = Field(default_factory=list)
    cycle: list[str] = Field(default_factory=list)


class Package(Frozen):
    """One Python distribution with everything an agent needs to review it."""

    name: str
    version: str | None = None
    installed: bool = True
    headers: dict[str, list[str]] = Field(default_factory=dict)
    readme: str = ""
    files: list[InstalledFile] | None = None
    entry_points: list[EntryPoint] = Field(default_factory=list)
    licence_files: list[TextFile] = Field(default_factory=list)
    start_up_files: list[TextFile] = Field(default_factory=list)
    wheel: dict[str, list[str]] = Field(default_factory=dict)
    direct_url: str | None = None
    installer: str | None = None
    top_level: list[str] = Field(default_factory=list)
    environment: Environment = Field(default_factory=Environment)
    source_zip_b64: str = ""
    source_files_total: int = 0
    source_files_included: int = 0
    source_truncated: bool = False

    def header(self, name: str) -> str | None:
        """The header's first value, stripped; None when absent, empty or 'UNKNOWN'."""
        for value in self.headers.get(name.lower(), []):
            text = value.strip()
            # Old setuptools wrote UNKNOWN for every field its author left out.
            return text if text and text != "UNKNOWN" else None
        return None

    def header_all(self, name: str) -> list[str]:
        """Every value of a header that may repeat, without empty ones."""
        return [v.strip() for v in self.headers.get(name.lower(), []) if v.strip()]

    def sources(self) -> Iterator[SourceFile]:
        """Yield the source files one at a time, so that only one is unpacked in memory.

        Yields nothing when the archive is absent or damaged; `source_unknowns` tells.
        """
        archive = self._archive()
        if archive is None:
            return
        with archive:
            for info in archive.infolist():
                yield SourceFile(path=info.filename, content=archive.read(info))

    def source_unknowns(self) -> list[str]:
        """Say in words which part of the source no agent can have looked at."""
        if not self.installed:
            return ["the distribution is not installed, so its source could not be read"]
        if self.source_zip_b64 and self._archive() is None:
            return ["the source archive in the event is damaged"]
        if self.source_truncated:
            left = self.source_files_total - self.source_files_included
            files = f"{left} of {self.source_files_total} source files"
            return [f"{files} were left out of the event (too large); figures cover the rest"]
        if not self.source_files_included and self.source_files_total:
            return ["no source file could be read"]
        return []

    def _archive(self) -> zipfile.ZipFile | None:
        if not self.source_zip_b64:
            return None
        try:
            return zipfile.ZipFile(io.BytesIO(base64.b64decode(self.source_zip_b64)))
        except (binascii.Error, ValueError, zipfile.BadZipFile):
            return None


def is_test_path(path: str) -> bool:
    """Whether a path lies in a test, documentation, example or build location."""
    return bool(TEST_PATH.search(path) or SIDE_PATH.search(path))


def is_vendored_path(path: str) -> bool:
    """Whether a path lies in a copy of somebody else's code."""
    return bool(VENDORED_PATH.search(path))


def canonical_name(name: str) -> str:
    """Normalise a distribution name. Source: PEP 503."""
    return re.sub(r"[-_.]+", "-", name).lower()


def is_metadata_path(path: str) -> bool:
    """Whether a path is the installer's own record and not part of the package."""
    return any(part.endswith((".dist-info", ".egg-info")) for part in PurePosixPath(path).parts)
