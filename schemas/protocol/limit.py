"""Slots: how many tasks of a key run at one time. Each slot is held by a lease, as a task is.

The slots of a key are one item: an attribute for each that is held, named after the version that
its holder acquires the task with, and saying until when (Unix milliseconds). Whoever takes one
compares the number of takes so far, so that no two workers take the last one; what only concerns
a slot of one's own, renewing it and giving it back, compares nothing else.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import sha256
from typing import Any

from sqswarm.schemas.agent_spec import AgentSpec, Limit
from sqswarm.schemas.json import JsonObject, canonical
from sqswarm.schemas.value import dataclass
from sqswarm.schemas.writes import Absent, Change, Condition, Eq, Item, Key, Le, Remove, Set, Write

SLOTS_SORT_KEY = "slots"
_HELD = "held_"
_DIGITS = 32
_EVER_MS = 10**15
_KEPT_S = 24 * 3600
"""How long the item stays after its last slot is over."""


@dataclass(frozen=True, kw_only=True)
class Slot:
    """A slot that a worker holds for one attempt, until `until_ms` (Unix milliseconds)."""

    key: Key
    token: str
    until_ms: int


def limited_by(
    spec: AgentSpec, limit: Limit, arguments: JsonObject, tags: Mapping[str, str]
) -> str:
    """Return the text that tasks which share slots have in common: empty for all of an agent.

    It is an argument (its default, where it is not given) or, where the agent has no such
    argument, a tag. Tasks that have neither share slots too.
    """
    if limit.per is None:
        return ""
    return named_value(spec.input_schema, limit.per, arguments, tags)


def named_value(
    schema: JsonObject, name: str, arguments: JsonObject, tags: Mapping[str, str]
) -> str:
    """Return as text the argument of this name, its default, or else the tag."""
    known = schema.get("properties", {})
    if name not in known:
        return canonical(tags.get(name))
    value: Any = arguments.get(name, known[name].get("default"))
    return canonical(value)


def slots_key(agent: str, shared: str) -> Key:
    """Return the primary key of the slots of an agent's tasks that have `shared` in common."""
    digest = sha256(shared.encode()).hexdigest()[:_DIGITS]
    return Key(pk=f"limit#{agent}#{digest}", sk=SLOTS_SORT_KEY)


def take(
    key: Key, before: Item | None, tokens: Sequence[str], *, count: int, now_ms: int, until_ms: int
) -> tuple[Write | None, list[Slot]]:
    """Return the write that takes slots for as many of `tokens` as there are, and those slots.

    `before` is the item as it was read. A slot whose time is over is free, and still so when the
    write is carried out, or it is refused. What a token holds already it took by a write whose
    answer was lost.
    """
    held = {} if before is None else {n: v for n, v in before.items() if n.startswith(_HELD)}
    over = {name: until for name, until in held.items() if until <= now_ms}
    free = max(0, count - len(held) + len(over))
    ours = [token for token in tokens if _name(token) in held and _name(token) not in over]
    slots = [Slot(key=key, token=token, until_ms=held[_name(token)]) for token in ours]
    new = [token for token in tokens if token not in ours][:free]
    if not new:
        return None, slots
    slots += [Slot(key=key, token=token, until_ms=until_ms) for token in new]
    takes = 0 if before is None else before["takes"]
    unchanged: Condition = Absent() if before is None else Eq("takes", takes)
    changes: list[Change] = [Set("takes", takes + 1), Set("ttl", _expires_s(until_ms))]
    changes += [Set(_name(token), until_ms) for token in new]
    changes += [Remove(name) for name in over if name not in map(_name, new)]
    when = (unchanged, *(Eq(name, until) for name, until in over.items()))
    return Write(key=key, when=when, changes=tuple(changes)), slots


def renew(slot: Slot, *, until_ms: int) -> Write:
    """Hold a slot for longer, if it is still held."""
    return Write(
        key=slot.key,
        when=(Le(_name(slot.token), _EVER_MS),),
        changes=(Set(_name(slot.token), until_ms), Set("ttl", _expires_s(until_ms))),
    )


def give_back(key: Key, tokens: Sequence[str]) -> Write:
    """Give slots of one key back; nothing happens to one that is over and taken by another."""
    names = [_name(token) for token in tokens]
    return Write(key=key, when=(Le("takes", _EVER_MS),), changes=tuple(map(Remove, names)))


def _name(token: str) -> str:
    return f"{_HELD}{token.encode().hex()}"


def _expires_s(until_ms: int) -> int:
    return until_ms // 1000 + _KEPT_S
