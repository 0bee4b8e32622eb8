"""Assistants: how each is told of the server, as the snippet its settings file wants."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Mapping
from pathlib import Path

from sqswarm.schemas.json import JsonObject

_NAME = "sqswarm"
_KEPT = ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_REGION", "AWS_DEFAULT_REGION", "SQSWARM_HOME")


def snippets(
    env: Mapping[str, str], *, stage: str, endpoint: str | None, allow_writes: bool | None
) -> dict[str, JsonObject]:
    """Return each assistant's configuration, by where it goes.

    It names what chooses the endpoint, for an assistant starts the server without a shell's
    environment; credentials are never put into it.
    """
    command, arguments = _command()
    kept = {name: env[name] for name in _KEPT if env.get(name)}
    if endpoint:
        kept["AWS_ENDPOINT_URL"] = endpoint
    kept["SQSWARM_STAGE"] = stage
    arguments = [*arguments, "mcp"]
    if allow_writes is not None:
        arguments.append("--allow-writes" if allow_writes else "--read-only")
    server: JsonObject = {"command": command, "args": arguments, "env": kept}
    common: JsonObject = {"mcpServers": {_NAME: server}}
    return {
        "Claude Desktop: claude_desktop_config.json": common,
        "Claude Code: .mcp.json in the project": {
            "mcpServers": {_NAME: {"type": "stdio", **server}}
        },
        "Cursor: .cursor/mcp.json, or ~/.cursor/mcp.json": common,
        "VS Code: .vscode/mcp.json": {"servers": {_NAME: {"type": "stdio", **server}}},
    }


def _command() -> tuple[str, list[str]]:
    """Return how this very installation is started: assistants know no virtual environment."""
    script = Path(sys.executable).parent / "sqswarm"
    found = str(script) if script.exists() else shutil.which("sqswarm")
    return (found, []) if found else ("sqswarm", [])
