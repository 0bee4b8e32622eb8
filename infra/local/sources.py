"""Our `localstack/` folder: the pins and the plugin that an emulator is made of."""

import hashlib
from pathlib import Path

import sqswarm
from sqswarm.infra.local.emulator import EmulatorKind


def localstack_folder() -> Path:
    """Return the folder: data of the package, in a wheel as in a checkout."""
    return Path(sqswarm.__file__).parent / "localstack"


def constraints(kind: EmulatorKind) -> Path:
    """Return the file with the pinned packages of an emulator."""
    name = "constraints_ministack.txt" if kind == "ministack" else "constraints.txt"
    return localstack_folder() / name


def plugin() -> Path:
    """Return the source of what of ours runs inside an emulator."""
    return localstack_folder() / "plugin"


def fingerprint(kind: EmulatorKind, python_tag: str) -> str:
    """Return a short hash of everything that an environment is made from."""
    digest = hashlib.sha256(python_tag.encode())
    source = plugin()
    files = [constraints(kind), source / "pyproject.toml", *sorted((source / "src").rglob("*.py"))]
    for file in files:
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:12]
