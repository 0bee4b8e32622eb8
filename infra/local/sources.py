"""Our `localstack/` folder: the pins and the plugin that an emulator is made of."""

import hashlib
from pathlib import Path

from sqswarm.infra.local.emulator import EmulatorKind
from sqswarm.infra.local.errors import EmulatorError


def localstack_folder() -> Path:
    """Return the folder. Raises EmulatorError where only the wheel of sqswarm is installed."""
    folder = Path(__file__).resolve().parents[2] / "localstack"
    if not (folder / "constraints.txt").is_file():
        message = f"the local emulator's sources are not at {folder}"
        hint = "Install sqswarm from a checkout: `pip install -e .` in a clone of the repository."
        raise EmulatorError(message, hint=hint)
    return folder


def constraints(kind: EmulatorKind) -> Path:
    """Return the file with the pinned packages of an emulator."""
    name = "constraints_ministack.txt" if kind == "ministack" else "constraints.txt"
    return localstack_folder() / name


def plugin(kind: EmulatorKind) -> Path | None:
    """Return the plugin's source, or None for an emulator that loads none."""
    return localstack_folder() / "plugin" if kind == "localstack" else None


def fingerprint(kind: EmulatorKind, python_tag: str) -> str:
    """Return a short hash of everything that an environment is made from."""
    digest = hashlib.sha256(python_tag.encode())
    files = [constraints(kind)]
    if source := plugin(kind):
        files.append(source / "pyproject.toml")
        files += sorted((source / "src").rglob("*.py"))
    for file in files:
        digest.update(file.name.encode() + b"\0" + file.read_bytes())
    return digest.hexdigest()[:12]
