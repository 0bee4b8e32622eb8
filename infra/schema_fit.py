"""Whether all that one JSON Schema describes is what another wants: told in words for people.

Looked at are types, fields that are wanted or not taken, and given values. Formats, patterns and
limits are left to the agent that gets the arguments.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from sqswarm.schemas.json import JsonObject

_TYPES: Mapping[type, str] = {
    str: "string",
    bool: "boolean",
    int: "integer",
    float: "number",
    dict: "object",
    list: "array",
    type(None): "null",
}


def misfits(given: JsonObject, wanted: JsonObject) -> list[str]:
    """Return what of a value that `given` describes is not as `wanted` has it, by its field."""
    return list(dict.fromkeys(_Fit(given, wanted).at("", given, wanted)))


class _Fit:
    """Two schemas, each with definitions of its own."""

    def __init__(self, given: JsonObject, wanted: JsonObject) -> None:
        self._given = given.get("$defs", {})
        self._wanted = wanted.get("$defs", {})
        self._within: list[tuple[JsonObject, JsonObject]] = []

    def at(self, place: str, given: Any, wanted: Any) -> Iterator[str]:
        """Yield what does not fit at one place, and within it."""
        into = list(_alternatives(wanted, self._wanted))
        for one in _alternatives(given, self._given):
            tried = [list(self._alone(place, one, other)) for other in into]
            if all(tried):
                plain = [n for n, other in enumerate(into) if _types(other) != {"null"}]
                if len(plain) == 1 and _types(one) != {"null"}:  # what may be None is a type still
                    yield from tried[plain[0]]
                else:
                    yield from _told(place, one, wanted, tried)

    def _alone(self, place: str, given: JsonObject, wanted: JsonObject) -> Iterator[str]:
        types, accepted = _types(given), _types(wanted)
        if accepted is None:
            return
        if types is None or not all(t in accepted or _widens(t, accepted) for t in types):
            yield _other_type(place, given, wanted)
            return
        values = _values(wanted)
        if values is not None and any(v not in values for v in _values(given) or [object()]):
            yield _other_type(place, given, wanted)
        inside = any(one is given and other is wanted for one, other in self._within)
        if "object" in types and "object" in accepted and not inside:  # a type may contain itself
            self._within.append((given, wanted))
            yield from self._object(place, given, wanted)
            self._within.pop()
        if "array" in types and "items" in wanted and "prefixItems" not in given:
            yield from self.at(f"{place}[]", given.get("items", {}), wanted["items"])

    def _object(self, place: str, given: JsonObject, wanted: JsonObject) -> Iterator[str]:
        has, takes = given.get("properties", {}), wanted.get("properties", {})
        certain = set(given.get("required", ()))
        for name in wanted.get("required", ()):
            if name not in has:
                yield f"{_within(place, name)} is missing"
            elif name not in certain:
                yield f"{_within(place, name)} may be missing"
        others = wanted.get("additionalProperties", True)
        for name, schema in has.items():
            if name in takes:
                yield from self.at(_within(place, name), schema, takes[name])
            elif others is False:
                yield f"{_within(place, name)} is not taken"
            else:
                yield from self.at(_within(place, name), schema, others)
        further = given.get("additionalProperties", "properties" not in given)
        if further is not False and others is False:
            yield f"{place or 'it'} may have fields that are not taken"
        elif further is not False:
            yield from self.at(_within(place, "*"), further, others)


def _ref(schema: Any) -> str:
    return str(schema.get("$ref", "")) if isinstance(schema, dict) else ""


def _alternatives(schema: Any, defs: JsonObject) -> Iterator[JsonObject]:
    """Yield the schemas of which a value has to fit one."""
    if not isinstance(schema, dict):  # True, as a schema: anything
        yield {}
    elif "$ref" in schema:
        yield from _alternatives(defs.get(_ref(schema).rpartition("/")[2], {}), defs)
    elif "anyOf" in schema or "oneOf" in schema:
        for one in _choices(schema):
            yield from _alternatives(one, defs)
    elif len(both := schema.get("allOf", ())) == 1:
        yield from _alternatives(both[0], defs)
    else:
        yield schema


def _choices(schema: JsonObject) -> list[Any]:
    return [*schema.get("anyOf", ()), *schema.get("oneOf", ())]


def _values(schema: JsonObject) -> list[Any] | None:
    return [schema["const"]] if "const" in schema else schema.get("enum")


def _types(schema: JsonObject) -> set[str] | None:
    """Return the types of JSON that a schema allows, None for any."""
    named = schema.get("type")
    if named is not None:
        return {named} if isinstance(named, str) else set(named)
    values = _values(schema)
    return None if values is None else {_TYPES[type(value)] for value in values}


def _widens(one: str, accepted: set[str]) -> bool:
    return one == "integer" and "number" in accepted


def _told(place: str, given: JsonObject, wanted: Any, tried: list[list[str]]) -> Iterator[str]:
    if len(tried) == 1:
        yield from tried[0]
    else:
        yield _other_type(place, given, wanted)


def _other_type(place: str, given: JsonObject, wanted: Any) -> str:
    return f"{place or 'it'} is {type_text(given)}, and {type_text(wanted)} is wanted"


def type_text(schema: Any) -> str:
    """Return what a schema is, in few words."""
    if not isinstance(schema, dict):
        return "anything"
    values = _values(schema)
    if values is not None:
        return f"one of {', '.join(map(repr, values))}" if len(values) > 1 else repr(values[0])
    if "anyOf" in schema or "oneOf" in schema:
        return " or ".join(map(type_text, _choices(schema)))
    if "$ref" in schema:
        return _ref(schema).rpartition("/")[2]
    named = schema.get("type", "anything")
    return named if isinstance(named, str) else " or ".join(named)


def _within(place: str, name: str) -> str:
    return f"{place}.{name}" if place else name
