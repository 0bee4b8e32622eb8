"""Model: which model thinks, under which settings, and what it costs."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sqswarm.schemas.budget import Budget
from sqswarm.schemas.json import JsonObject, loads
from sqswarm.schemas.pricing import Price, own_prices, price_of
from sqswarm.workers.claude.client import Account


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
        return own_prices({**(loads(given) if given else {}), **self.prices})

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
