"""Project: what `[tool.sqswarm]` in pyproject.toml says about a user's agents.

[tool.sqswarm]
agents = ["my_agents"]           # modules; each one's @agent functions are deployed
pythonpath = ["src"]             # where they are found, relative to this file; default "."
requirements = ["httpx>=0.28"]   # what they need beside sqswarm's own, packed for AWS
door = true                      # deploy the MCP door too; or a table of its options:

[tool.sqswarm.door]
auth = "AWS_IAM"                 # of its Function URL, or "NONE" where access guards it
api = false                      # an API Gateway REST API beside it
env = {}                         # environment variables, for its access
permissions = []                 # IAM statements, for its access
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from schemas.errors import UsageError
from schemas.json import JsonObject

_EXAMPLE = 'Write `[tool.sqswarm]` and `agents = ["my_agents"]` in pyproject.toml, or --agents.'
_FIELDS = ("agents", "pythonpath", "requirements", "door")
_AUTHS = ("AWS_IAM", "NONE")


@dataclass(frozen=True, kw_only=True)
class DoorOptions:
    """What `[tool.sqswarm.door]` says of the MCP door on Lambda."""

    auth: str = "AWS_IAM"
    api: bool = False
    env: Mapping[str, str] = field(default_factory=dict)
    permissions: tuple[JsonObject, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Project:
    """A user's agents: modules, the folders they are found in, and what they require."""

    root: Path
    modules: tuple[str, ...]
    pythonpath: tuple[Path, ...]
    requirements: tuple[str, ...] = ()
    door: DoorOptions | None = None

    def activate(self) -> None:
        """Put the project's folders first on `sys.path`, once."""
        for folder in reversed(self.pythonpath):
            if str(folder) not in sys.path:
                sys.path.insert(0, str(folder))


def find_project(start: Path, *, modules: Sequence[str] = ()) -> Project:
    """Return the project of the nearest pyproject.toml with `[tool.sqswarm]`, from `start` up.

    `modules` (--agents) replaces the listed ones, and alone is enough. Raises UsageError where
    there is neither, or where the table has a value that cannot work.
    """
    for folder in (start.resolve(), *start.resolve().parents):
        file = folder / "pyproject.toml"
        table = _table(file)
        if table is not None:
            return _project(file, table, modules)
    if modules:
        return Project(root=start.resolve(), modules=tuple(modules), pythonpath=(start.resolve(),))
    message = f"no [tool.sqswarm] in a pyproject.toml in {start.resolve()} or above"
    raise UsageError(message, hint=_EXAMPLE)


def _table(file: Path) -> dict[str, Any] | None:
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        message = f"{file} is not TOML: {error}"
        raise UsageError(message, hint="Mend the line that the message names.") from error
    table = document.get("tool", {}).get("sqswarm")
    if table is not None and not isinstance(table, dict):
        message = f"{file}: tool.sqswarm is not a table"
        raise UsageError(message, hint=_EXAMPLE)
    return table


def _project(file: Path, table: dict[str, Any], modules: Sequence[str]) -> Project:
    unknown = sorted(table.keys() - set(_FIELDS))
    if unknown:
        message = f"{file}: [tool.sqswarm] has no setting {unknown[0]!r}"
        raise UsageError(message, hint=f"It has {', '.join(_FIELDS)}.")
    listed = tuple(modules) or _texts(file, table, "agents", default=())
    if not listed:
        message = f"{file}: [tool.sqswarm] lists no agents"
        raise UsageError(message, hint=_EXAMPLE)
    folders = [file.parent / p for p in _texts(file, table, "pythonpath", default=(".",))]
    for folder in folders:
        if not folder.is_dir():
            message = f"{file}: pythonpath names {folder}, which is no folder"
            raise UsageError(message, hint="Paths are relative to the pyproject.toml.")
    return Project(
        root=file.parent,
        modules=listed,
        pythonpath=tuple(folder.resolve() for folder in folders),
        requirements=_texts(file, table, "requirements", default=()),
        door=_door(file, table.get("door", False)),
    )


def _door(file: Path, said: Any) -> DoorOptions | None:
    if isinstance(said, bool):
        return DoorOptions() if said else None
    try:
        options = DoorOptions(**said)
    except TypeError as error:
        message = f"{file}: [tool.sqswarm] door is {said!r}"
        hint = "Write door = true, or a table with auth, api, env and permissions."
        raise UsageError(message, hint=hint) from error
    kinds = (
        options.auth in _AUTHS,
        isinstance(options.api, bool),
        isinstance(options.env, dict) and all(isinstance(v, str) for v in options.env.values()),
        isinstance(options.permissions, list | tuple),
    )
    if not all(kinds):
        message = f"{file}: [tool.sqswarm.door] has a value that cannot work: {said!r}"
        hint = f"auth is {' or '.join(_AUTHS)}, api true or false, env a table of texts."
        raise UsageError(message, hint=hint)
    return replace(options, permissions=tuple(options.permissions))


def _texts(
    file: Path, table: dict[str, Any], name: str, *, default: tuple[str, ...]
) -> tuple[str, ...]:
    value = table.get(name, list(default))
    if not isinstance(value, list) or not all(isinstance(v, str) and v for v in value):
        message = f"{file}: [tool.sqswarm] {name} is {value!r}, not a list of texts"
        raise UsageError(message, hint=f'Write {name} = ["…"].')
    return tuple(value)
