"""Pricing: what Claude's tokens cost. One dated table; whoever pays otherwise overrides it.

Source: platform.claude.com/docs/en/about-claude/pricing, read on AS_OF. Batch and priority tiers,
one-hour cache writes and server-side tools are not in it: agents use none of them.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sqswarm.schemas.errors import InvalidSettings
from sqswarm.schemas.json import JsonObject

AS_OF = "2026-11-21"

MICRO = 1_000_000
"""Micro-dollars of a dollar."""


@dataclass(frozen=True, kw_only=True)
class Tokens:
    """Tokens of one call or of many, by what they cost."""

    input: int = 0
    cache_write: int = 0
    cache_read: int = 0
    output: int = 0

    @classmethod
    def of(cls, usage: Mapping[str, object]) -> Tokens:
        """Return what the API's `usage` object counts; its cached tokens are not in its input."""

        def number(name: str) -> int:
            value = usage.get(name)
            return value if isinstance(value, int) else 0

        return cls(
            input=number("input_tokens"),
            cache_write=number("cache_creation_input_tokens"),
            cache_read=number("cache_read_input_tokens"),
            output=number("output_tokens"),
        )

    @property
    def prompt(self) -> int:
        """Return all that the model was given."""
        return self.input + self.cache_write + self.cache_read

    @property
    def total(self) -> int:
        """Return all tokens, given and made."""
        return self.prompt + self.output

    def __add__(self, other: Tokens) -> Tokens:
        """Return the sum, kind by kind."""
        return Tokens(
            input=self.input + other.input,
            cache_write=self.cache_write + other.cache_write,
            cache_read=self.cache_read + other.cache_read,
            output=self.output + other.output,
        )


@dataclass(frozen=True, kw_only=True)
class Price:
    """Prices of one model in nano-dollars a token (which is thousandths of $ per million tokens).

    `since` is the first day it holds (ISO). `long` holds for the whole call where its prompt has
    more than `long_over` tokens.
    """

    input: int
    output: int
    cache_write: int
    cache_read: int
    since: str = ""
    long: Price | None = None
    long_over: int = 0

    def micro_usd(self, tokens: Tokens) -> int:
        """Return what a call costs in micro-dollars, rounded up."""
        if self.long is not None and tokens.prompt > self.long_over:
            return self.long.micro_usd(tokens)
        nano = (
            tokens.input * self.input
            + tokens.cache_write * self.cache_write
            + tokens.cache_read * self.cache_read
            + tokens.output * self.output
        )
        return -(-nano // 1000)

    @property
    def dearest_input(self) -> int:
        """Return the most that a token of a prompt can cost."""
        return max(self.input, self.cache_write, self.cache_read)


def _price(usd_input: float, usd_output: float, *, read: float = 0.1, since: str = "") -> Price:
    """Return a price in dollars per million tokens; a cache write is 1.25 inputs, a read `read`."""
    return Price(
        input=round(1000 * usd_input),
        output=round(1000 * usd_output),
        cache_write=round(1250 * usd_input),
        cache_read=round(1000 * usd_input * read),
        since=since,
    )


def _tiered(short: Price, long: Price, *, over: int) -> Price:
    return Price(
        input=short.input,
        output=short.output,
        cache_write=short.cache_write,
        cache_read=short.cache_read,
        since=short.since,
        long=long,
        long_over=over,
    )


PRICES: Mapping[str, tuple[Price, ...]] = {
    "claude-fable-5-2": (_price(8, 40, read=0.025),),
    "claude-fable-5-1": (_price(10, 50, read=0.025),),
    "claude-fable-5": (_price(10, 50),),
    "claude-mythos-5-1": (_price(10, 50, read=0.025),),
    "claude-mythos-5": (_price(10, 50),),
    "claude-opus-5-5": (_price(4, 20, read=0.05),),
    "claude-opus-5": (_price(5, 25),),
    "claude-opus-4-8": (_price(5, 25),),
    "claude-opus-4-7": (_price(5, 25),),
    "claude-opus-4-6": (_price(5, 25),),
    "claude-opus-4-5": (_price(5, 25),),
    "claude-sonnet-5-5": (_price(2, 10), _price(2, 10, read=0.05, since="2026-10-07")),
    "claude-sonnet-5": (_price(2, 10),),
    "claude-sonnet-4-6": (_price(3, 15),),
    "claude-sonnet-4-5": (_price(3, 15),),
    "claude-haiku-5-5": (_tiered(_price(0.1, 0.5), _price(0.5, 2.5), over=100_000),),
    "claude-haiku-4-5": (_price(1, 5),),
}
"""Model → its prices, the newest last."""

_BEDROCK = re.compile(r"^(?:[a-z-]+\.)?anthropic\.")
_SUFFIX = re.compile(r"(?:-v\d+(?::\d+)?|-\d{8}|@\d{8}|\[1m\])+$")


def plain_model(model: str) -> str:
    """Return a model's name without its date and what Bedrock puts round it."""
    return _SUFFIX.sub("", _BEDROCK.sub("", model))


def price_of(model: str, *, day: str, own: Mapping[str, Price] | None = None) -> Price | None:
    """Return what `model` costs on `day` (ISO); None where nobody has said.

    `own` prices come first, under the model's full or plain name.
    """
    plain = plain_model(model)
    if own is not None and (found := own.get(model) or own.get(plain)) is not None:
        return found
    dated = [price for price in PRICES.get(plain, ()) if price.since <= day]
    return dated[-1] if dated else None


def own_prices(document: JsonObject) -> dict[str, Price]:
    """Return prices in dollars per million tokens, as a user writes them.

    {"my-model": {"input": 3, "output": 15, "cache_write": 3.75, "cache_read": 0.3}}; the two of
    the cache default to 1.25 and 0.1 of the input's. Raises InvalidSettings.
    """
    prices: dict[str, Price] = {}
    for model, given in document.items():
        try:
            usd = {name: float(value) for name, value in given.items()}
            plain = _price(usd.pop("input"), usd.pop("output"))
            kept = {
                name: round(1000 * usd.pop(name))
                for name in ("cache_write", "cache_read")
                if name in usd
            }
        except (AttributeError, KeyError, TypeError, ValueError) as error:
            message = f"the price of {model!r} is {given!r}"
            hint = 'Write {"input": 3, "output": 15}: dollars per million tokens.'
            raise InvalidSettings(message, hint=hint) from error
        if usd or min(plain.input, plain.output, *kept.values()) < 0:
            message = f"the price of {model!r} is {given!r}"
            raise InvalidSettings(message, hint="It has input, output, cache_write, cache_read.")
        prices[model] = Price(
            input=plain.input,
            output=plain.output,
            cache_write=kept.get("cache_write", plain.cache_write),
            cache_read=kept.get("cache_read", plain.cache_read),
        )
    return prices
