"""Joins: events of several topics that have one key become one task, each event an argument of it.

The task is recorded with its first event and sleeps until the last has come, or its time is over;
each event is a part of its record. So whatever wakes a sleeper fires a join.
"""

from __future__ import annotations

from sqswarm.schemas.ids import TaskId, derive_task_id
from sqswarm.schemas.json import JsonObject, canonical
from sqswarm.schemas.value import dataclass

PART = "part_"
"""What the names of a record's attributes begin with that hold an event each."""

TOPICS_LIMIT = 8
PART_INLINE_LIMIT_BYTES = 32 * 1024
"""Parts of a join up to this size stay in its record: all of them and a result fit an item."""


@dataclass(frozen=True, kw_only=True)
class Join:
    """What an agent joins: one event of each topic, of one `key`, within so many seconds."""

    topics: tuple[str, ...]
    key: str
    within_s: int

    @property
    def arguments(self) -> tuple[str, ...]:
        """Return the arguments that the events are, in the order of their topics."""
        return tuple(map(argument_of, self.topics))

    def to_json(self) -> JsonObject:
        """Return it as the catalogue keeps it."""
        return {"topics": [*self.topics], "key": self.key, "withinSeconds": self.within_s}

    @classmethod
    def from_json(cls, kept: JsonObject) -> Join:
        """Return the join that `to_json` wrote."""
        return cls(topics=tuple(kept["topics"]), key=kept["key"], within_s=kept["withinSeconds"])


def argument_of(topic: str) -> str:
    """Return the name of the argument that a topic's event is."""
    return topic.replace("-", "_")


def join_task_id(principal: str, agent: str, key: str | int) -> TaskId:
    """Return the id of the one task that a principal's events of a key are joined in."""
    return derive_task_id(f"{principal}\x00{agent}\x00join", canonical(key), at_ms=0)


def part_schema(input_schema: JsonObject, topic: str) -> JsonObject:
    """Return the JSON Schema of what an agent takes of a topic that it joins."""
    wanted = input_schema["properties"][argument_of(topic)]
    return {**wanted, "$defs": input_schema.get("$defs", {})}


def event_schema(input_schema: JsonObject, topic: str, join: Join) -> JsonObject:
    """Return the JSON Schema of a topic's events: the argument, an object, and with its key."""
    key = input_schema["properties"][join.key]
    keyed = {"type": "object", "properties": {join.key: key}, "required": [join.key]}
    schema = part_schema(input_schema, topic)
    return {"$defs": schema.pop("$defs"), "allOf": [keyed, schema]}


def event_fields(input_schema: JsonObject, topic: str) -> JsonObject:
    """Return the fields that an agent takes of an event that it joins, as an object's schema."""
    schema = part_schema(input_schema, topic)
    for one in schema.get("anyOf", [schema]):
        named = str(one.get("$ref", "")).rpartition("/")[2]
        found = schema["$defs"].get(named, one)
        if "properties" in found:
            return {"properties": found["properties"], "$defs": schema["$defs"]}
    return {"properties": {}, "$defs": {}}
