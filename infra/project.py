"""Project: what `[tool.sqswarm]` in pyproject.toml says about a user's agents.

docs/settings.md says the same for people; a test keeps the keys alike.

[tool.sqswarm]
agents = ["my_agents"]           # modules; each one's @agent functions are deployed
pythonpath = ["src"]             # where they are found, relative to this file; default "."
requirements = ["httpx>=0.28"]   # what they need beside sqswarm's own, packed for AWS
metrics = true                   # CloudWatch metrics of what workers do, and their alarm
server = true                    # deploy the MCP server too; or a table of its options
tracing = true                   # pack OpenTelemetry; or a table of OTEL_* for all functions
keep_versions = true             # tasks under way finish on the code that they began with
notify = ["arn:aws:sns:…"]       # who may be named to be told of a task's end
notify_all = ["arn:aws:sqs:…"]   # who is told of the end of every task

[tool.sqswarm.server]
auth = "AWS_IAM"                 # of its Function URL, or "NONE" where access guards it
api = false                      # an API Gateway REST API beside it
env = {}                         # environment variables, for its access
permissions = []                 # IAM statements, for its access

[tool.sqswarm.container]         # where runs_on="container" agents run on AWS; without it nowhere
image = "….amazonaws.com/me:1"   # its entry point is `sqswarm work`
subnets = ["subnet-1", "subnet-2"]
max_tasks = 4                    # most containers of one agent
"""

from __future__ import annotations

import sys
import tomllib
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from sqswarm.infra.notify import NotifyOptions, notify_of
from sqswarm.infra.options import (
    ServerOptions,
    TracingOptions,
    fleet_of,
    server_of,
    texts,
    tracing_of,
    truth,
)
from sqswarm.infra.resources import Fleet
from sqswarm.schemas.errors import UsageError

_EXAMPLE = (
    'Write `[tool.sqswarm]` and `agents = ["my_agents"]` in pyproject.toml, or --agents; '
    "`sqswarm init DIR` makes a new project."
)
_RENAMED = {"door": "server"}
_FIELDS = (
    "agents",
    "pythonpath",
    "requirements",
    "metrics",
    "container",
    "server",
    "tracing",
    "keep_versions",
    "notify",
    "notify_all",
)


@dataclass(frozen=True, kw_only=True)
class Project:
    """A user's agents: modules, the folders they are found in, and what they require."""

    root: Path
    modules: tuple[str, ...]
    pythonpath: tuple[Path, ...]
    requirements: tuple[str, ...] = ()
    fleet: Fleet = field(default_factory=Fleet)
    server: ServerOptions | None = None
    metrics: bool = True
    tracing: TracingOptions | None = None
    """None where OpenTelemetry is not packed."""
    keep_versions: bool = False
    notify: NotifyOptions = field(default_factory=NotifyOptions)

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
        hint = f"It has {', '.join(_FIELDS)}."
        if unknown[0] in _RENAMED:
            hint = f"It is called {_RENAMED[unknown[0]]!r} now."
        raise UsageError(message, hint=hint)
    listed = tuple(modules) or texts(file, table, "agents", default=())
    if not listed:
        message = f"{file}: [tool.sqswarm] lists no agents"
        raise UsageError(message, hint=_EXAMPLE)
    folders = [file.parent / p for p in texts(file, table, "pythonpath", default=(".",))]
    for folder in folders:
        if not folder.is_dir():
            message = f"{file}: pythonpath names {folder}, which is no folder"
            raise UsageError(message, hint="Paths are relative to the pyproject.toml.")
    return Project(
        root=file.parent,
        modules=listed,
        pythonpath=tuple(folder.resolve() for folder in folders),
        requirements=texts(file, table, "requirements", default=()),
        fleet=fleet_of(file, table.get("container", {})),
        server=server_of(file, table.get("server", False)),
        tracing=tracing_of(file, table.get("tracing", False)),
        metrics=truth(file, table, "metrics", default=True),
        keep_versions=truth(file, table, "keep_versions", default=False),
        notify=notify_of(file, table),
    )
