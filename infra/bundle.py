"""Bundle: the code archive that every function of a stage runs.

Our packages, the agents' own with all that they import from the project's folders, and for AWS
the requirements. Its key is a digest of what went in, so an unchanged tree is neither packed nor
uploaded again.
"""

from __future__ import annotations

import io
import os
import py_compile
import sys
import tempfile
import zipfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from hashlib import sha256
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Literal

import sqswarm
from sqswarm.infra.imports import Import, Imports, imports_of, is_there, locations
from sqswarm.infra.requirements import LAMBDA_BRINGS, Requirements
from sqswarm.schemas.errors import DeployFailed, UsageError

OUR_FOLDERS = ("schemas", "backends", "dispatcher", "workers")
"""What functions import of `sqswarm`. Named one by one: in a checkout each is a link."""

ARCHIVE_LIMIT_BYTES = 250 * 1024 * 1024
"""Source: Lambda quotas, deployment package unzipped."""

_NOT_PACKED = frozenset({"infra", "testing", "localstack"})
_FORMAT = b"sqswarm code 1"
_EPOCH = (1980, 1, 1, 0, 0, 0)  # the earliest time that a zip can tell


@dataclass(frozen=True, kw_only=True)
class Bundle:
    """What goes into the archive: path inside it → file on disk.

    `key` is where it lies in the stage's bucket: a digest of the sources, not of the archive,
    because compiled code may differ from one run to the next.
    """

    files: dict[str, Path]
    imports: Imports
    requirements: Requirements | None
    key: str

    def check(self) -> None:
        """Raise DeployFailed where functions could not import what the agents' code imports.

        Where functions share this interpreter's environment, that is what is not installed here.
        """
        missing = [found for found in self.imports.others if not self._has(found)]
        missing += self.imports.lost
        if not missing:
            return
        places = {found.module: found for found in reversed(missing)}
        lines = [f"  {f.file}, line {f.line}: {f.module}" for f in reversed(places.values())]
        message = "\n".join(["functions would not find what the agents import:", *lines])
        raise DeployFailed(message, hint=self._hint(missing[0]))

    def _has(self, found: Import) -> bool:
        if found.top == "sqswarm":
            return len(found.parts) == 1 or found.parts[1] not in _NOT_PACKED
        if self.requirements is None:
            places = locations(found.top)
            return any(place.is_file() for place in places) or is_there(
                found.parts, {place.parent for place in places}
            )
        return found.top in LAMBDA_BRINGS or is_there(found.parts, [self.requirements.installed()])

    def _hint(self, found: Import) -> str:
        if found.top == "sqswarm":
            return "Functions hold what agents need of sqswarm: import this elsewhere only."
        if found in self.imports.lost:
            return "Correct the name, or guard the import with try and except ImportError."
        name = packages_distributions().get(found.top, [found.top])[0]
        listed = f'Write requirements = ["{name}"] in [tool.sqswarm]'
        install = f"Install it here: pip install {name}" if self.requirements is None else listed
        return (
            f"{install}. If it is your own code, name its folder in pythonpath; if it is optional, "
            "guard the import with try and except ImportError."
        )

    def archive(self) -> bytes:
        """Return the zip: sorted, without times, each module compiled beside its source.

        Raises DeployFailed where Lambda would refuse its size, a requirement has no wheel, or the
        disk has no room.
        """
        files = dict(self.files)
        if self.requirements is not None:
            installed = self.requirements.installed()
            files = {**_tree(installed, prefix="", skipped=_is_compiled), **files}
        size = sum(file.stat().st_size for file in files.values())
        if size > ARCHIVE_LIMIT_BYTES:
            message = f"the code has {size:,} bytes; Lambda takes {ARCHIVE_LIMIT_BYTES:,}"
            raise DeployFailed(message, hint="Drop requirements or data files that no agent needs.")
        ours = {name: file for name, file in files.items() if name in _ours()}
        try:
            packed = pack_ours() if ours == _ours() else _packed(ours)
            return _packed({n: f for n, f in files.items() if n not in ours}, after=packed)
        except OSError as error:
            hint = f"Make room in {tempfile.gettempdir()}, or set TMPDIR to a folder with room."
            raise DeployFailed(f"the code cannot be packed: {error}", hint=hint) from error


def bundle(
    modules: Sequence[str],
    *,
    requirements: Requirements | None,
    folders: Sequence[Path] = (),
    imported: Iterable[str] = (),
) -> Bundle:
    """Return what the agents in `modules` (already importable) need to run.

    Of what they import, what lies below `folders` goes in, as whole packages with their data
    files; `imported` names modules that were seen to be imported, as code may do by any name.
    `requirements` are packed too; None where functions share this interpreter's environment, as
    on a local emulator. Raises UsageError for a module that is no file.
    """
    imports = imports_of(modules, folders=folders)
    seen = {name.partition(".")[0] for name in imported} - {"sqswarm"}
    dynamic = {name for name in seen if locations(name, folders)}
    files = dict(_ours())
    for package in dict.fromkeys(m.partition(".")[0] for m in modules):
        if package == "sqswarm":  # agents that come with it: they are there already
            continue
        files.update(_package(package, locations(package)))
    for package in sorted((imports.own | dynamic) - {m.partition(".")[0] for m in modules}):
        files.update(_package(package, locations(package, folders)))
    key = _key(files, requirements)
    return Bundle(files=files, imports=imports, requirements=requirements, key=key)


@cache
def pack_ours() -> bytes:
    """Return the archive's part that is sqswarm itself; packed once, it takes most of the time."""
    return _packed(_ours())


@cache
def _ours() -> dict[str, Path]:
    root = Path(sqswarm.__file__).parent
    files = {"sqswarm/__init__.py": root / "__init__.py"}
    for folder in OUR_FOLDERS:
        files.update(_tree(root / folder, prefix=f"sqswarm/{folder}/"))
    return files


def _packed(files: dict[str, Path], *, after: bytes = b"") -> bytes:
    """Return a zip of the files, those of the zip `after` before them."""
    buffer = io.BytesIO(after)
    mode: Literal["a", "w"] = "a" if after else "w"
    with zipfile.ZipFile(buffer, mode, zipfile.ZIP_DEFLATED, compresslevel=6) as archive:
        for name, file in sorted(files.items()):
            _write(archive, name, file.read_bytes())
            if name.endswith(".py"):
                _write_compiled(archive, name, file)
    return buffer.getvalue()


def _key(files: dict[str, Path], requirements: Requirements | None) -> str:
    digest = sha256(_FORMAT + sys.version.encode())
    for name, file in sorted(files.items()):
        digest.update(b"\0" + name.encode() + b"\0" + sha256(file.read_bytes()).digest())
    if requirements is not None:
        digest.update(requirements.digest.encode())
    return f"code/{digest.hexdigest()}.zip"


def _package(name: str, places: Sequence[Path]) -> dict[str, Path]:
    found: dict[str, Path] = {}
    for place in reversed(places):
        if place.is_dir():
            found.update(_tree(place, prefix=f"{name}/"))
        elif place.suffix == ".py":
            found[f"{name}.py"] = place
    if found:
        return found
    message = f"the agents' module {name!r} is no Python file or package that can be packed"
    raise UsageError(message, hint="List modules of your own in [tool.sqswarm] agents.")


def _is_compiled(name: str) -> bool:
    return name == "__pycache__" or name.endswith((".pyc", ".pyo"))


def _is_no_part(name: str) -> bool:
    """Whether a file or folder of a source tree is none of what runs."""
    return (
        _is_compiled(name)
        or name.startswith(".")
        or name in {"tests", "node_modules", "venv"}
        or name.endswith(".egg-info")
    )


def _tree(
    folder: Path, *, prefix: str, skipped: Callable[[str], bool] = _is_no_part
) -> dict[str, Path]:
    found = _files(folder, skipped)
    return {prefix + path.relative_to(folder).as_posix(): path for path in found}


def _files(folder: Path, skipped: Callable[[str], bool]) -> Iterator[Path]:
    for place, folders, names in os.walk(folder):
        folders[:] = [name for name in folders if not skipped(name)]
        yield from (Path(place, name) for name in names if not skipped(name))


def _write_compiled(archive: zipfile.ZipFile, name: str, file: Path) -> None:
    """Add the module's `.pyc`: a function's disk is read-only, it would compile at every start.

    Unchecked: Lambda's unpacking changes the source's time, which a checked one compares.
    """
    folder, _, stem = name.rpartition("/")
    target = f"{folder}/__pycache__/" if folder else "__pycache__/"
    target += f"{stem.removesuffix('.py')}.{sys.implementation.cache_tag}.pyc"
    with tempfile.TemporaryDirectory() as scratch:
        compiled = Path(scratch, "compiled.pyc")
        try:
            py_compile.compile(
                str(file),
                cfile=str(compiled),
                dfile=f"/var/task/{name}",
                doraise=True,
                invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
            )
        except py_compile.PyCompileError:
            return  # a template or a file for another Python: nobody imports it here either
        _write(archive, target, compiled.read_bytes())


def _write(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    archive.writestr(info, data)
