"""Config: which model thinks, with which tools and servers, and what it costs."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from fnmatch import fnmatchcase
from functools import cached_property
from pathlib import Path
from typing import Any

from sqswarm.backends.secrets import is_reference
from sqswarm.schemas.budget import Budget
from sqswarm.schemas.errors import InvalidAgent
from sqswarm.schemas.json import JsonObject, loads_unambiguous
from sqswarm.schemas.pricing import Price, own_prices, price_of
from sqswarm.workers.claude.client import Account
from sqswarm.workers.claude.tools import Tool


@dataclass(frozen=True, kw_only=True)
class Model:
    """Settings of every call of one agent. `extra` are further fields of the request as it is."""

    name: str
    system: str
    max_tokens: int
    account: Account
    budget: Budget
    extra: Mapping[str, Any] = field(default_factory=dict)
    prices: Mapping[str, JsonObject] = field(default_factory=dict)

    @cached_property
    def own_prices(self) -> dict[str, Price]:
        """Return the prices that the agent or the environment (CLAUDE_PRICES, JSON) sets."""
        given = os.environ.get("CLAUDE_PRICES")
        return own_prices({**(loads_unambiguous(given) if given else {}), **self.prices})

    def price(self, day: str) -> Price | None:
        """Return what the model costs on `day`; None where nobody has said."""
        return price_of(self.name, day=day, own=self.own_prices)

    def request(
        self, *, tools: tuple[JsonObject, ...], notes: tuple[str, ...], output: JsonObject | None
    ) -> JsonObject:
        """Return the fields of a request that are the same in every turn."""
        system = "\n\n".join(text for text in (self.system, *notes) if text)
        request: JsonObject = {"model": self.name, "max_tokens": self.max_tokens}
        if system:
            request["system"] = [{"type": "text", "text": system}]
        if tools:
            request["tools"] = list(tools)
        if output is not None:
            request["output_config"] = {"format": {"type": "json_schema", "schema": output}}
        if self.account.provider == "anthropic":
            # The API itself finds what can be cached; Bedrock does not know this field.
            request["cache_control"] = {"type": "ephemeral"}
        return {**request, **self.extra}


_EXAMPLE = 'mcp_servers={"files": {"command": "npx", "args": ["-y", "…"]}, "web": {"url": "…"}}'


@dataclass(frozen=True, kw_only=True)
class McpServer:
    """One server: a `command` to run (stdio), or a `url` (streamable HTTP).

    `allow` are patterns of the tools that exist for the agent (all, where it is empty), `approve`
    patterns of those that a person is asked about. Values of `env` and `headers` may be references
    to secrets (`ssm:/…`). Times in seconds: `timeout_s` of a call, `connect_s` of a connection.
    """

    name: str
    command: str | None = None
    args: tuple[str, ...] = ()
    env: Mapping[str, str] = field(default_factory=dict)
    cwd: str | None = None
    url: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    allow: tuple[str, ...] = ()
    approve: tuple[str, ...] = ()
    timeout_s: float = 60.0
    connect_s: float = 15.0

    def __post_init__(self) -> None:
        """Refuse a server that is both or neither."""
        if (self.command is None) == (self.url is None):
            message = f"the MCP server {self.name!r} needs a command or a url"
            raise InvalidAgent(message, hint=_EXAMPLE)
        if not self.name.replace("-", "").replace("_", "").isalnum():
            message = f"an MCP server is called {self.name!r}; letters, digits, - and _ do"
            raise InvalidAgent(message)

    def allows(self, tool: str) -> bool:
        """Tell whether a tool of the server exists for the agent."""
        return not self.allow or any(fnmatchcase(tool, pattern) for pattern in self.allow)

    def asks_before(self, tool: str) -> bool:
        """Tell whether a person is asked before a tool is called."""
        return any(fnmatchcase(tool, pattern) for pattern in self.approve)

    @property
    def references(self) -> tuple[str, ...]:
        """Return the references to secrets among its settings."""
        values = (*self.env.values(), *self.headers.values())
        return tuple(value for value in values if is_reference(value))


def servers_of(config: Any) -> tuple[McpServer, ...]:
    """Return the servers of a configuration.

    It is a list of McpServer, an `mcpServers` document (or what is within), or the path of one.
    Raises InvalidAgent where it is none of them.
    """
    if isinstance(config, str | Path):
        try:
            config = loads_unambiguous(Path(config).read_bytes())
        except (OSError, ValueError) as error:
            message = f"the MCP servers in {config} cannot be read: {error}"
            raise InvalidAgent(message, hint=_EXAMPLE) from error
    if isinstance(config, Mapping):
        inner = config.get("mcpServers", config)
        servers = tuple(_server(name, given) for name, given in inner.items())
    elif isinstance(config, Sequence) and all(isinstance(one, McpServer) for one in config):
        servers = tuple(config)
    else:
        message = f"these are no MCP servers: {config!r}"
        raise InvalidAgent(message, hint=_EXAMPLE)
    if len({server.name for server in servers}) != len(servers):
        message = "two MCP servers of an agent have one name"
        raise InvalidAgent(message)
    return servers


def _server(name: str, given: JsonObject) -> McpServer:
    try:
        return McpServer(
            name=name,
            command=given.get("command"),
            args=tuple(given.get("args", ())),
            env=dict(given.get("env", {})),
            cwd=given.get("cwd"),
            url=given.get("url") or given.get("serverUrl"),
            headers=dict(given.get("headers", {})),
            allow=tuple(given.get("allow") or given.get("allowedTools") or ()),
            approve=tuple(given.get("approve", ())),
            timeout_s=float(given.get("timeout", 60_000)) / 1000,
        )
    except (TypeError, ValueError, AttributeError) as error:
        message = f"the MCP server {name!r} is described as {given!r}"
        raise InvalidAgent(message, hint=_EXAMPLE) from error


@dataclass(frozen=True, kw_only=True)
class ClaudeConfig:
    """What an agent thinks with.

    `output` is the adapter of its answer, None for plain text; `schema` is what the API is told,
    an object: other values are `wrapped` in one.
    """

    model: Model
    tools: tuple[Tool, ...]
    servers: tuple[McpServer, ...]
    output: Any = None
    schema: JsonObject | None = None
    wrapped: bool = False
    memory_tokens: int = 0
