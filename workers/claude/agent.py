"""ClaudeAgent: an agent whose function is a conversation with a model."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from functools import cached_property
from typing import Any

from sqswarm.backends import secrets
from sqswarm.schemas.agent_spec import Durability, Keeps, Limit, Schedule, Subscription
from sqswarm.schemas.budget import Budget
from sqswarm.schemas.errors import InvalidAgent
from sqswarm.schemas.json import JsonObject
from sqswarm.schemas.pricing import plain_model
from sqswarm.workers.agent import Agent, agent
from sqswarm.workers.claude.client import HANDED_ON, Account
from sqswarm.workers.claude.config import ClaudeConfig, McpServer, Model, servers_of
from sqswarm.workers.claude.conversation import converse
from sqswarm.workers.claude.tools import Tool, tool
from sqswarm.workers.durable.context import TaskContext


class ClaudeAgent(Agent[..., Any]):
    """An agent like any other: registered, deployed, retried; a model decides what it does.

    It takes `prompt` and returns the model's answer: text, or a value of `output`. With a
    `session_id` (an option of `submit`) it remembers up to `memory` tokens of the conversation.
    """

    def __init__(
        self,
        name: str,
        *,
        model: str,
        system: str = "",
        description: str | None = None,
        tools: Sequence[Callable[..., Any] | Agent[..., Any] | Tool | str] = (),
        mcp_servers: Sequence[McpServer] | Mapping[str, Any] | str = (),
        output: Any = str,
        budget: Budget | None = None,
        max_tokens: int = 8000,
        memory: int = 30_000,
        extra: Mapping[str, Any] | None = None,
        prices: Mapping[str, JsonObject] | None = None,
        provider: str = "anthropic",
        base_url: str | None = None,
        api_key: str = "env:ANTHROPIC_API_KEY",
        timeout: int = 300,
        max_attempts: int = 5,
        concurrency: int = 10,
        batch: int = 10,
        memory_mb: int = 512,
        topics: Sequence[str | Subscription] = (),
        publishes: str | None = None,
        rate: str | None = None,
        limit: Limit | None = None,
        singleton: str | None = None,
        schedule: str | Schedule | Sequence[str | Schedule] = (),
        ordered: bool = False,
        durability: str = "standard",
        permissions: Sequence[JsonObject] = (),
        env: Mapping[str, str] | None = None,
        version: str | None = None,
    ) -> None:
        """Declare it.

        `tools` are functions, agents or their names, or `tool(...)` of them; `mcp_servers` an
        `mcpServers` document, its path, or McpServers. `max_tokens` is the most one reply may
        take, `extra` further fields of the request (`thinking`, …), `prices` dollars per million
        tokens of models this version does not know. `provider` is anthropic or bedrock, `base_url`
        another address of the API (else ANTHROPIC_BASE_URL), `api_key` a reference to the key.
        The rest is as for `@agent`. Raises InvalidAgent for what cannot work.
        """
        if durability == Durability.LEAN:
            message = f"agent {name!r}: a Claude agent keeps steps, so it cannot be lean"
            raise InvalidAgent(message)
        if not secrets.is_reference(api_key):
            message = f"agent {name!r}: api_key is a reference to a key, not the key"
            raise InvalidAgent(message, hint='Write api_key="ssm:/path" or "env:NAME".')
        self._account = Account(provider=provider, base_url=base_url, api_key=api_key)
        self._model = Model(
            name=model,
            system=system,
            max_tokens=max_tokens,
            account=self._account,
            budget=budget or Budget(),
            extra=extra or {},
            prices=prices or {},
        )
        self._check_price(name)
        self._tools = tuple(map(tool, tools))
        self._servers = servers_of(mcp_servers)
        self._output = output
        self._memory = memory
        names = [one.name for one in self._tools]
        if len(set(names)) != len(names):
            message = f"agent {name!r}: two of its tools have one name: {', '.join(names)}"
            raise InvalidAgent(message, hint="Give one another: tool(function, name=...).")
        declared = agent(
            name=name,
            max_attempts=max_attempts,
            timeout=timeout,
            concurrency=concurrency,
            batch=batch,
            memory=memory_mb,
            topics=topics,
            publishes=publishes,
            rate=rate,
            limit=limit,
            singleton=singleton,
            schedule=schedule,
            ordered=ordered,
            durability=durability,
            permissions=(*permissions, *self._statements()),
            env=env,
            version=version,
        )(self._function(name, system, description))
        purses = {
            Keeps.AGENT_PURSE: self._model.budget.agent_usd_per_day,
            Keeps.PRINCIPAL_PURSE: self._model.budget.principal_usd_per_day,
        }
        more = {
            "handed_on": HANDED_ON,
            "keeps": (Keeps.LEDGER, *(kept for kept, limit in purses.items() if limit is not None)),
            "requirements": ("anthropic", "mcp") if self._servers else ("anthropic",),
        }
        super().__init__(
            declared.function, name=declared.name, options={**declared.options, **more}
        )

    @property
    def code(self) -> tuple[Callable[..., Any] | str | None, ...]:
        """Return what its tools may call agents by."""
        return tuple(part for one in self._tools for part in one.code)

    @cached_property
    def config(self) -> ClaudeConfig:
        """Return what it thinks with; compiles the schemas of its tools and its answer."""
        adapter = schema = None
        if self._output is not str:
            from anthropic import transform_schema
            from pydantic import TypeAdapter

            adapter = TypeAdapter(self._output)
            schema = transform_schema(self.signature.output_schema or {})
        return ClaudeConfig(
            model=self._model,
            tools=self._tools,
            servers=self._servers,
            output=adapter,
            schema=schema,
            wrapped=self.signature.wrapped,
            memory_tokens=self._memory,
        )

    def _function(self, name: str, system: str, description: str | None) -> Callable[..., Any]:
        async def run(prompt: str, *, ctx: TaskContext) -> Any:
            return await converse(self.config, prompt, ctx)

        first_line = system.strip().partition("\n")[0]
        run.__doc__ = description or first_line or f"Ask {self._model.name}."
        run.__name__ = run.__qualname__ = name
        run.__annotations__ = {"prompt": str, "ctx": TaskContext, "return": self._output}
        return run

    def _check_price(self, name: str) -> None:
        today = datetime.now(UTC).date().isoformat()
        budget = self._model.budget
        if budget.in_money and self._model.price(today) is None:
            message = (
                f"agent {name!r} has a budget in dollars, and nobody has said what "
                f"{plain_model(self._model.name)!r} costs"
            )
            raise InvalidAgent(
                message, hint='prices={"the-model": {"input": 3, "output": 15}}: $ per million.'
            )

    def _statements(self) -> list[JsonObject]:
        """Return what its role may do beside an agent's own: read its secrets, call Bedrock."""
        references = [self._account.api_key]
        references += [one for server in self._servers for one in server.references]
        statements = secrets.statements(tuple(references))
        if self._account.provider == "bedrock":
            actions = ["bedrock:InvokeModel", "bedrock:InvokeModelWithResponseStream"]
            models = [
                "arn:aws:bedrock:*::foundation-model/*",
                "arn:aws:bedrock:*:*:inference-profile/*",
            ]
            statements.append({"Action": actions, "Resource": models})
        return statements
