"""Unpacked functions' code: once per archive, however many functions share it.

A deployment gives all its functions the same archive. Unpacking and compiling it for each was most
of the time that LocalStack took to make them.
"""

import compileall
import contextlib
import importlib.util
import shutil
import subprocess
import tempfile
import threading
from pathlib import Path

from localstack.services.lambda_.invocation.lambda_models import ArchiveCode, S3Code

_LOCK = threading.Lock()


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
        name = code.code_sha256.replace("/", "_")  # it is base64
        archive = Path(tempfile.gettempdir(), "lambda", "archives", name)
        if not archive.exists():
            _remove_unused(archive.parent)
            code.prepare_for_execution()
            _compile(location, python)
            archive.parent.mkdir(exist_ok=True)
            location.rename(archive)
        location.parent.mkdir(parents=True, exist_ok=True)
        location.symlink_to(archive)


def _remove_unused(archives: Path) -> None:
    linked = {link.readlink() for link in archives.parent.glob("*/*/code") if link.is_symlink()}
    for archive in archives.glob("*"):
        if archive not in linked:
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
