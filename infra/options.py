"""Options: the tables below `[tool.sqswarm]`, for where containers and the server run."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from sqswarm.infra.resources import Fleet
from sqswarm.schemas.errors import UsageError
from sqswarm.schemas.json import JsonObject

_CONTAINER_FIELDS = ("image", "subnets", "max_tasks")
_AUTHS = ("AWS_IAM", "NONE")


@dataclass(frozen=True, kw_only=True)
class ServerOptions:
    """What `[tool.sqswarm.server]` says of the MCP server on Lambda."""

    auth: str = "AWS_IAM"
    api: bool = False
    env: Mapping[str, str] = field(default_factory=dict)
    permissions: tuple[JsonObject, ...] = ()


@dataclass(frozen=True, kw_only=True)
class TracingOptions:
    """What `[tool.sqswarm.tracing]` gives every function: OTEL_*, and a collector's layer."""

    env: Mapping[str, str] = field(default_factory=dict)
    layer: str | None = None


def fleet_of(file: Path, table: Any) -> Fleet:
    """Return what `[tool.sqswarm.container]` says; raises UsageError for what cannot work."""
    example = 'Write [tool.sqswarm.container] with image = "…" and subnets = ["subnet-…"].'
    if not isinstance(table, dict) or table.keys() - set(_CONTAINER_FIELDS):
        message = f"{file}: [tool.sqswarm.container] takes {', '.join(_CONTAINER_FIELDS)} only"
        raise UsageError(message, hint=example)
    image, max_tasks = table.get("image", ""), table.get("max_tasks", Fleet.max_tasks)
    subnets = texts(file, table, "subnets", default=())
    if not isinstance(image, str) or bool(image) != bool(subnets):
        message = f"{file}: [tool.sqswarm.container] needs an image and its subnets"
        raise UsageError(message, hint=example)
    if not isinstance(max_tasks, int) or max_tasks < 1:
        message = f"{file}: [tool.sqswarm.container] max_tasks is {max_tasks!r}"
        raise UsageError(message, hint="Write a whole number from 1 on.")
    return Fleet(image=image, subnets=subnets, max_tasks=max_tasks)


def server_of(file: Path, said: Any) -> ServerOptions | None:
    """Return what `server` says, None for no server; raises UsageError for what cannot work."""
    if isinstance(said, bool):
        return ServerOptions() if said else None
    try:
        options = ServerOptions(**said)
    except TypeError as error:
        message = f"{file}: [tool.sqswarm] server is {said!r}"
        hint = "Write server = true, or a table with auth, api, env and permissions."
        raise UsageError(message, hint=hint) from error
    kinds = (
        options.auth in _AUTHS,
        isinstance(options.api, bool),
        isinstance(options.env, dict) and all(isinstance(v, str) for v in options.env.values()),
        isinstance(options.permissions, list | tuple),
    )
    if not all(kinds):
        message = f"{file}: [tool.sqswarm.server] has a value that cannot work: {said!r}"
        hint = f"auth is {' or '.join(_AUTHS)}, api true or false, env a table of texts."
        raise UsageError(message, hint=hint)
    return replace(options, permissions=tuple(options.permissions))


def tracing_of(file: Path, said: Any) -> TracingOptions | None:
    """Return what `tracing` says, None for no traces; raises UsageError for what cannot work."""
    if isinstance(said, bool):
        return TracingOptions() if said else None
    example = 'Write [tool.sqswarm.tracing] with OTEL_EXPORTER_OTLP_ENDPOINT = "http://…".'
    if not isinstance(said, dict):
        message = f"{file}: [tool.sqswarm] tracing is {said!r}"
        raise UsageError(message, hint=example)
    for name, value in said.items():
        if not (isinstance(value, str) and (name.startswith("OTEL_") or name == "layer")):
            message = f"{file}: [tool.sqswarm.tracing] {name} is no OTEL_* or layer, with a text"
            raise UsageError(message, hint=example)
    env = {name: value for name, value in said.items() if name != "layer"}
    return TracingOptions(env=env, layer=said.get("layer"))


def texts(
    file: Path, table: dict[str, Any], name: str, *, default: tuple[str, ...]
) -> tuple[str, ...]:
    """Return a setting that is a list of texts; raises UsageError for anything else."""
    value = table.get(name, list(default))
    if not isinstance(value, list) or not all(isinstance(v, str) and v for v in value):
        message = f"{file}: [tool.sqswarm] {name} is {value!r}, not a list of texts"
        raise UsageError(message, hint=f'Write {name} = ["…"].')
    return tuple(value)


def truth(file: Path, table: dict[str, Any], name: str, *, default: bool) -> bool:
    """Return a setting that is true or false; raises UsageError for anything else."""
    value = table.get(name, default)
    if not isinstance(value, bool):
        message = f"{file}: [tool.sqswarm] {name} is {value!r}"
        raise UsageError(message, hint=f"Write {name} = true or {name} = false.")
    return value
