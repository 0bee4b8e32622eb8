"""Difference: what a deployment would change, told before it does.

Read from what is deployed (its catalogue and its template) and from the plan; nothing is changed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any

from sqswarm.infra.deployment.schema_change import narrower_input, narrower_output
from sqswarm.infra.deployment.template_change import (
    Kind,
    ResourceChange,
    idle_usd,
    resource_changes,
    widened_access,
)
from sqswarm.schemas.catalogue import Catalogue, CatalogueEntry
from sqswarm.schemas.json import JsonObject

MORE_ACCESS = "more access"


@dataclass(frozen=True, kw_only=True)
class Left:
    """What a removed agent leaves behind: tasks under way, messages and dead letters.

    `more` where there are more tasks than were counted.
    """

    tasks: int = 0
    messages: int = 0
    dead_letters: int = 0
    more: bool = False
    records: int | None = None
    """Items of the stage's table, results among them, as DynamoDB counted them last: up to six
    hours ago. None where that was not asked."""

    @classmethod
    def sum(cls, some: Iterable[Left]) -> Left:
        """Return what several leave together."""
        each = [*some]
        return cls(
            tasks=sum(one.tasks for one in each),
            messages=sum(one.messages for one in each),
            dead_letters=sum(one.dead_letters for one in each),
            more=any(one.more for one in each),
        )

    def __bool__(self) -> bool:
        """Tell whether anything is left."""
        return bool(self.tasks or self.messages or self.dead_letters or self.records)

    def __str__(self) -> str:
        """Say it."""
        parts = {
            f"task{'' if self.tasks == 1 else 's'} under way": self.tasks,
            f"message{'' if self.messages == 1 else 's'} in its queue": self.messages,
            f"dead letter{'' if self.dead_letters == 1 else 's'}": self.dead_letters,
        }
        more = "more than " if self.more else ""
        told = [f"{number:,} {what}" for what, number in parts.items() if number]
        if self.records:
            told.append(f"about {self.records:,} records, stored results among them")
        return more + ", ".join(told)

    def to_json(self) -> JsonObject:
        """Return the fields."""
        return {
            "tasks": self.tasks,
            "more": self.more,
            "messages": self.messages,
            "deadLetters": self.dead_letters,
            "records": self.records,
        }


@dataclass(frozen=True, kw_only=True)
class AgentChange:
    """What becomes of one agent; `breaks` is what callers or readers lose."""

    agent: str
    kind: Kind
    what: tuple[str, ...] = ()
    breaks: tuple[str, ...] = ()
    left: Left = Left()

    def to_json(self) -> JsonObject:
        """Return it as JSON."""
        left = {
            "tasks": self.left.tasks,
            "messages": self.left.messages,
            "deadLetters": self.left.dead_letters,
        }
        return {
            "agent": self.agent,
            "kind": self.kind,
            "what": list(self.what),
            "breaks": list(self.breaks),
            **({"left": left} if self.kind == "removed" else {}),
        }


@dataclass(frozen=True, kw_only=True)
class Difference:
    """What a deployment would change. `first` where nothing stands yet; `widened` is access."""

    first: bool
    agents: tuple[AgentChange, ...]
    resources: tuple[ResourceChange, ...]
    widened: tuple[str, ...]
    code_changed: bool
    idle_usd: float
    was_idle_usd: float

    def __bool__(self) -> bool:
        """Tell whether anything would change."""
        return bool(self.first or self.agents or self.resources or self.code_changed)

    @property
    def at_stake(self) -> tuple[str, ...]:
        """Return what somebody should agree to first: data that goes, access that grows."""
        if self.first:
            return ()
        removed = [one for one in self.agents if one.kind == "removed"]
        gone = [f"{one.agent} is removed: {one.left} stay behind" for one in removed if one.left]
        kept = [
            f"{one.resource} ({one.type}) is made anew: what it holds is lost"
            for one in self.resources
            if one.loses and one.replaced
        ]
        return (*gone, *kept, *(f"{MORE_ACCESS}: {one}" for one in self.widened))

    def to_json(self) -> JsonObject:
        """Return it as JSON."""
        return {
            "changed": bool(self),
            "first": self.first,
            "agents": [one.to_json() for one in self.agents],
            "resources": [one.to_json() for one in self.resources],
            "widened": list(self.widened),
            "codeChanged": self.code_changed,
            "atStake": list(self.at_stake),
            "idleUsdPerMonth": round(self.idle_usd, 2),
            "wasIdleUsdPerMonth": round(self.was_idle_usd, 2),
        }


def difference(
    *,
    old: Catalogue | None,
    new: Catalogue,
    old_template: JsonObject | None,
    new_template: JsonObject,
    code_changed: bool,
) -> Difference:
    """Return what would change between what is deployed (None: nothing is) and what is planned."""
    before = (old_template or {}).get("Resources", {})
    after = new_template["Resources"]
    return Difference(
        first=old is None,
        agents=tuple(_agents({} if old is None else old.agents, new.agents)),
        resources=tuple(resource_changes(before, after)),
        widened=tuple(widened_access(before, after)),
        code_changed=code_changed,
        idle_usd=idle_usd(after),
        was_idle_usd=idle_usd(before),
    )


def with_left(seen: Difference, left: Mapping[str, Left]) -> Difference:
    """Return a difference that says what removed agents leave behind."""
    agents = (replace(one, left=left.get(one.agent, Left())) for one in seen.agents)
    return replace(seen, agents=tuple(agents))


def _agents(
    old: Mapping[str, CatalogueEntry], new: Mapping[str, CatalogueEntry]
) -> Iterator[AgentChange]:
    for name in sorted(old.keys() | new.keys()):
        if name not in old:
            yield AgentChange(agent=name, kind="added", what=(new[name].description[:80],))
        elif name not in new:
            yield AgentChange(agent=name, kind="removed")
        elif old[name] != new[name]:
            yield AgentChange(
                agent=name,
                kind="changed",
                what=tuple(_fields(old[name], new[name])),
                breaks=(
                    *narrower_input(old[name].input_schema, new[name].input_schema),
                    *narrower_output(old[name].output_schema, new[name].output_schema),
                ),
            )


_TOLD_APART = {
    "input_schema": "arguments",
    "output_schema": "result",
    "description": "description",
    "title": "description",
    "as_tool": "its MCP tool",
}


def _fields(old: CatalogueEntry, new: CatalogueEntry) -> Iterator[str]:
    told = set()
    for name, before in vars(old).items():
        after = getattr(new, name)
        if before == after:
            continue
        if (word := _TOLD_APART.get(name)) is None:
            yield f"{name.removesuffix('_s')}: {_shown(before)}, now {_shown(after)}"
        elif word not in told:
            told.add(word)
            yield word


def _shown(value: Any) -> str:
    if isinstance(value, tuple):
        named = [getattr(one, "topic", None) or getattr(one, "expression", one) for one in value]
        return ", ".join(map(str, named)) or "none"
    return "every agent" if value is None else str(getattr(value, "value", value))
