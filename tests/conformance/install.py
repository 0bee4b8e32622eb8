"""Install the official conformance suite, the Inspector and their Node into `.conformance/`.

Versions are pinned by package-lock.json. Node comes from npm too: the suite needs 22, and a
machine may have another. Run it with any Python: `python tests/conformance/install.py`.
"""

import hashlib
import shutil
import subprocess
from pathlib import Path

HERE = Path(__file__).parent
FOLDER = HERE.parents[1] / ".conformance"
NODE = FOLDER / "node_modules/node/bin/node"
SUITE = FOLDER / "node_modules/@modelcontextprotocol/conformance/dist/index.js"
INSPECTOR = FOLDER / "node_modules/@modelcontextprotocol/inspector"
_FILES = ("package.json", "package-lock.json")
_INSTALLED = FOLDER / "installed"


class CannotInstall(Exception):
    """npm is missing, or the registry cannot be reached."""


def is_installed() -> bool:
    """Whether what the lock file says is there."""
    return _INSTALLED.exists() and _INSTALLED.read_text() == _wanted()


def install() -> None:
    """Install what the lock file says, once; raises CannotInstall with the reason."""
    if is_installed():
        return
    npm = shutil.which("npm")
    if npm is None:
        raise CannotInstall("npm is not on the PATH")
    FOLDER.mkdir(exist_ok=True)
    for name in _FILES:
        shutil.copy(HERE / name, FOLDER)
    done = subprocess.run(
        [npm, "ci", "--no-audit", "--no-fund", "--loglevel=error"],
        cwd=FOLDER,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    if done.returncode or not NODE.exists():
        raise CannotInstall(f"npm ci failed:\n{done.stderr[-2000:]}")
    _INSTALLED.write_text(_wanted())  # last, so that an interrupted installation is done again


def _wanted() -> str:
    return hashlib.sha256(b"".join((HERE / name).read_bytes() for name in _FILES)).hexdigest()


if __name__ == "__main__":
    install()
    print(f"installed in {FOLDER}")  # noqa: T201
