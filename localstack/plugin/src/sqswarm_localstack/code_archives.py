"""Unpacked functions' code: once per archive, however many functions share it.

A deployment gives all its functions the same archive. Unpacking and compiling it for each was most
of the time that LocalStack took to make them.

A process runs in the archive itself, which stays for as long as one does: the link, and with it
what LocalStack knows of the code, goes when a deployment replaces it, perhaps while a process has
just been started, or has imports still to come.
"""

import compileall
import contextlib
import importlib.util
import shutil
import subprocess
import tempfile
import threading
from collections import Counter
from pathlib import Path

from localstack.services.lambda_.invocation.lambda_models import ArchiveCode, S3Code

_LOCK = threading.Lock()
_HELD: Counter[Path] = Counter()


def unpack(code: ArchiveCode, *, python: str) -> None:
    """Have a function's code where LocalStack says that it is, compiled for `python`.

    There it is a link, which goes with the function. Archives that no function links to are
    deleted when the next one is unpacked.
    """
    if not isinstance(code, S3Code):
        code.prepare_for_execution()
        return
    location = code.get_unzipped_code_location()
    with _LOCK:
        if location.exists():
            return
        archive = _archive(code)
        if not archive.exists():
            _remove_unused(archive.parent)
            code.prepare_for_execution()
            _compile(location, python)
            archive.parent.mkdir(exist_ok=True)
            location.rename(archive)
        location.parent.mkdir(parents=True, exist_ok=True)
        location.symlink_to(archive)


def hold(code: ArchiveCode) -> Path:
    """Return the folder with a function's unpacked code, which stays until it is let go.

    Raises FileNotFoundError where the code has been replaced and is gone.
    """
    with _LOCK:
        folder = _archive(code) if isinstance(code, S3Code) else code.get_unzipped_code_location()
        if not folder.exists():
            raise FileNotFoundError(folder)
        _HELD[folder] += 1
        return folder


def let_go(folder: Path) -> None:
    """Take back one `hold`; archives that nobody holds or links to go with the next unpacking."""
    with _LOCK:
        _HELD[folder] -= 1


def _archive(code: S3Code) -> Path:
    name = code.code_sha256.replace("/", "_")  # it is base64
    return Path(tempfile.gettempdir(), "lambda", "archives", name)


def _remove_unused(archives: Path) -> None:
    linked = {link.readlink() for link in archives.parent.glob("*/*/code") if link.is_symlink()}
    for archive in archives.glob("*"):
        if archive not in linked and not _HELD[archive]:
            shutil.rmtree(archive, ignore_errors=True)


def _compile(folder: Path, python: str) -> None:
    """Compile what came without its compiled form, so that no cold start has to.

    This interpreter is of the functions' version: its environment was made with theirs.
    """
    sources = [
        source
        for source in folder.rglob("*.py")
        if not Path(importlib.util.cache_from_source(str(source))).exists()
    ]
    if not sources:
        return
    # By the functions' own interpreter: bytecode of another version would be ignored.
    with contextlib.suppress(subprocess.SubprocessError):
        subprocess.run(  # noqa: S603 - our own interpreter
            [python, "-I", "-S", "-m", compileall.__name__, "-q", "-i", "-"],
            check=False,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            input="".join(f"{source}\n" for source in sources).encode(),
            timeout=60,
        )
