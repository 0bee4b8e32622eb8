"""Order: what a soak submits, drawn from a seed: rows of agents, arguments and misfortunes."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks.soak.agents import AGENTS

WEIGHTS: Mapping[str, int] = {
    "lean": 20,
    "standard": 36,
    "kept": 12,
    "stepper": 8,
    "inorder": 6,
    "plain": 6,
    "fragile": 6,
    "fan": 2,
    "asker": 2,
    "sleeper": 2,
}
ALWAYS = 99
"""Misbehaves on every attempt."""

_A_KEY = 20
_WIDTH = 5
_RAISING = frozenset({"lean", "standard", "kept", "stepper", "plain", "asker", "sleeper"})
_HANGING = frozenset({"lean", "standard", "kept", "stepper", "plain"})
_KEYED = frozenset({"lean", "standard", "kept", "stepper", "plain", "fragile"})
"""Agents of whose tasks some have an idempotency key."""
_ORPHANED = frozenset({"standard", "kept"})


@dataclass(frozen=True, kw_only=True)
class Mischief:
    """Shares of tasks (0 to 1) that misfortune is ordered for."""

    raising: float = 0.0
    hanging: float = 0.0
    killing: float = 0.0
    """Of all tasks; they are all the `fragile` agent's, alone in their processes."""
    orphaned: float = 0.0
    """Their dispatcher is killed between record and publish."""
    poison: float = 0.0
    """As many messages that nobody can parse."""
    outside_kills: float = 0.0
    """As many function processes are killed from outside."""
    container_kills: float = 0.0
    """As many container workers, where there are any."""
    skew_s: float = 0.0
    redelivered: float = 0.0
    """Share of received messages that come again while they are worked on."""
    disasters: tuple[str, ...] = ()
    """What befalls the whole swarm meanwhile (benchmarks.soak.ruin), one after another."""


STANDARD = Mischief(
    raising=0.05,
    hanging=0.01,
    killing=0.05,
    orphaned=0.01,
    poison=0.005,
    outside_kills=0.005,
    container_kills=0.002,
    skew_s=2.0,
    redelivered=0.05,
)
DISASTERS = ("large", "outage", "throttle", "deploy", "flood", "full-disk")
PROFILES: Mapping[str, Mischief] = {
    "none": Mischief(),
    "standard": STANDARD,
    "ruin": replace(STANDARD, disasters=DISASTERS),
    **{name: Mischief(disasters=(name,)) for name in DISASTERS},
}
"""A disaster's own name is it alone, with nothing else in the way."""


@dataclass(frozen=True, kw_only=True)
class Row:
    """One task to submit. `key` is an idempotency key, `orphaned` says how its dispatcher dies."""

    number: int
    agent: str
    arguments: dict[str, Any]
    key: str | None = None
    ordering_key: str | None = None
    orphaned: bool = False

    @property
    def mischief(self) -> str:
        """Return how the task misbehaves, empty where it does not."""
        return str(self.arguments.get("mischief", ""))


@dataclass(frozen=True, kw_only=True)
class Order:
    """All that one soak submits."""

    rows: tuple[Row, ...]
    poison: tuple[tuple[str, str | None], ...] = field(default=())
    """Bodies that nobody can parse, each with the agent that it is addressed to, if any."""


def draw(tasks: int, mischief: Mischief, seed: int) -> Order:
    """Return the order of `tasks` tasks that the seed stands for."""
    chance = random.Random(f"order-{seed}")
    names = chance.choices([*WEIGHTS], [*WEIGHTS.values()], k=tasks)
    ordered = 0
    rows = []
    for number, agent in enumerate(names):
        arguments: dict[str, Any] = {"n": number}
        ordering_key = key = None
        if agent == "inorder":
            ordering_key = arguments["key"] = f"key{ordered // _A_KEY}"
            ordered += 1
        elif agent == "fan":
            arguments["width"] = _WIDTH
        what = _mischief(agent, mischief, chance)
        if what:
            arguments["mischief"] = what
        if agent in _KEYED and chance.random() < 0.1:
            key = f"soak-{seed}-{number}"
        rows.append(
            Row(number=number, agent=agent, arguments=arguments, key=key, ordering_key=ordering_key)
        )
    rows = list(_orphaned(rows, round(tasks * mischief.orphaned), seed, chance))
    return Order(rows=tuple(rows), poison=_poison(round(tasks * mischief.poison), chance))


def _mischief(agent: str, mischief: Mischief, chance: random.Random) -> str:
    drawn = chance.random()
    if agent == "fragile":
        if drawn < mischief.killing * sum(WEIGHTS.values()) / WEIGHTS["fragile"]:
            return f"kill:{ALWAYS if chance.random() < 0.1 else 1}"
        return ""
    if agent in _RAISING:
        if drawn < mischief.raising:
            times = chance.choice([1, 1, 1, 1, 2, 2, 0, ALWAYS])
            return f"raise:{times}" if times else "fail"
        drawn -= mischief.raising
    if agent in _HANGING and 0 <= drawn < mischief.hanging:
        return f"hang:{ALWAYS if chance.random() < 0.2 else 1}"
    return ""


def _orphaned(rows: list[Row], count: int, seed: int, chance: random.Random) -> Iterator[Row]:
    chosen = set(chance.sample([r.number for r in rows if r.agent in _ORPHANED], count))
    for row in rows:
        if row.number in chosen:
            given = {**asdict(row), "key": f"soak-{seed}-{row.number}", "orphaned": True}
            yield Row(**given)
        else:
            yield row


def _poison(count: int, chance: random.Random) -> tuple[tuple[str, str | None], ...]:
    standard = [name for name, agent in AGENTS.items() if not agent.spec.ordered]
    bodies = ("poison {} is no JSON", '{{"poison": {}}}', '{{"jsonrpc":"2.0","id":"{}"}}')
    return tuple(
        (chance.choice(bodies).format(n), chance.choice([*standard, "nobody"]))
        for n in range(count)
    )


def save(rows: list[Row], path: Path) -> None:
    """Write rows for a submitter to read."""
    path.write_text("".join(json.dumps(asdict(row)) + "\n" for row in rows))


def load(path: Path) -> list[Row]:
    """Read what `save` wrote."""
    return [Row(**json.loads(line)) for line in path.read_text().splitlines()]
