"""A form made from a JSON schema: a task's arguments, or the answer to a question.

Each property has a field that fits its type; what has no field of its own is written as JSON, and
so can the whole be. An optional field that is left empty is left out.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nicegui import ui

from sqswarm.infra.console.text import as_json, hides, one_line
from sqswarm.schemas.errors import InvalidArguments
from sqswarm.schemas.json import JsonObject, loads_unambiguous

_LONG = 200
"""Text that may be longer than this (characters) has a field of several lines."""
_MANY = 60

UNSET = object()


@dataclass(kw_only=True)
class _Field:
    name: str
    required: bool
    element: Any
    read: Callable[[Any], Any]
    """What stands in the element → the value, UNSET for none; raises ValueError."""


class SchemaForm:
    """The form. `value` reads it."""

    def __init__(self, schema: JsonObject, *, value: JsonObject | None = None) -> None:
        """Build the form of an object's schema, filled with `value` where that is given."""
        self._schema = schema
        self._fields: list[_Field] = []
        self._text: ui.textarea | None = None
        with ui.element("div").classes("sq-form"):
            self._place = ui.element("div").classes("sq-form")
            self._switch = ui.switch("Write it as JSON", on_change=self._turn).props("dense")
        self._show(dict(value or {}), whole=not self._drawable(value))

    def value(self) -> JsonObject:
        """Return what was filled in; raises InvalidArguments for what is no value of its type."""
        if self._text is not None:
            try:
                given = loads_unambiguous(self._text.value or "{}")
            except ValueError as error:
                raise InvalidArguments(f"it is not JSON: {error}", hint=_JSON_HINT) from error
            if not isinstance(given, dict):
                raise InvalidArguments("a JSON object is needed", hint=_JSON_HINT)
            return given
        found: JsonObject = {}
        for field in self._fields:
            try:
                read = field.read(field.element.value)
            except ValueError as error:
                raise InvalidArguments(f"{field.name}: {error}", hint="Mend that field.") from error
            if read is not UNSET:
                found[field.name] = read
        return found

    def _turn(self, event: Any) -> None:
        whole = bool(event.value)
        if whole == (self._text is not None):
            return
        try:
            value = self.value()
        except InvalidArguments as error:
            ui.notify(str(error), type="warning")
            self._switch.set_value(not whole)
            return
        self._show(value, whole=whole or not self._drawable(value))

    def _drawable(self, value: JsonObject | None) -> bool:
        """Tell whether fields can hold all of a value: what the schema does not name cannot be."""
        known = self._schema.get("properties") or {}
        return isinstance(known, dict) and bool(known) and set(value or {}) <= set(known)

    def _show(self, value: JsonObject, *, whole: bool) -> None:
        self._fields.clear()
        self._text = None
        with self._place:
            self._place.clear()
            if whole:
                self._text = ui.textarea("JSON", value=as_json(value)).props(
                    "outlined autogrow input-class=sq-mono spellcheck=false"
                )
            else:
                needed = set(self._schema.get("required") or ())
                for name, schema in self._schema["properties"].items():
                    given = value.get(name, UNSET)
                    self._fields.append(
                        _field(name, self._resolved(schema), given, required=name in needed)
                    )
                if not self._fields:
                    ui.label("It takes nothing.").classes("sq-soft")
        self._switch.set_value(whole)

    def _resolved(self, schema: Any) -> JsonObject:
        """Return a property's schema without references, and without `or null`."""
        for _ in range(10):
            if not isinstance(schema, dict):
                return {}
            reference = schema.get("$ref")
            options = [one for one in schema.get("anyOf") or () if one != {"type": "null"}]
            around = {n: v for n, v in schema.items() if n not in {"$ref", "anyOf"}}
            if isinstance(reference, str):
                found = (self._schema.get("$defs") or {}).get(reference.rpartition("/")[2], {})
                schema = {**found, **around}
            elif len(options) == 1 and isinstance(options[0], dict):
                schema = {**options[0], **around}
            else:
                return schema
        return {}


_JSON_HINT = 'Write it like {"text": "hello"}.'


def _field(name: str, schema: JsonObject, given: Any, *, required: bool) -> _Field:
    kind, choices = schema.get("type"), schema.get("enum")
    label = one_line(name, limit=_MANY) + ("" if required else " (optional)")
    fits = given is UNSET
    if isinstance(choices, list) and choices:
        element, read = _choice(label, choices, given, required=required)
    elif kind == "boolean" and (fits or isinstance(given, bool)):
        element, read = _choice(label, [True, False], given, required=required)
    elif kind in {"integer", "number"} and (fits or isinstance(given, int | float)):
        shown = "" if fits else json.dumps(given)
        element = ui.input(label, value=shown).props("outlined dense inputmode=decimal")
        read = _number_of(str(kind), required=required)
    elif kind == "string" and (fits or (isinstance(given, str) and not hides(given))):
        long = schema.get("maxLength", _LONG + 1) > _LONG and "format" not in schema
        make = ui.textarea if long else ui.input
        element = make(label, value="" if fits else given).props("outlined dense")
        if long:
            element.props("autogrow")
        read = _text_of(required=required)
    else:
        shown = "" if fits else as_json(given, indent=None)
        element = ui.textarea(f"{label}, as JSON", value=shown)
        element.props("outlined dense autogrow input-class=sq-mono spellcheck=false")
        read = _json_of
    if hint := _hint(schema):
        element.props["hint"] = hint
    return _Field(name=name, required=required, element=element, read=read)


def _hint(schema: JsonObject) -> str:
    said = [one_line(str(schema["description"]))] if schema.get("description") else []
    if "default" in schema:
        said.append(f"default: {one_line(json.dumps(schema['default'], ensure_ascii=False))}")
    limits = {"minimum": "at least", "maximum": "at most"}
    said += [f"{words} {schema[name]}" for name, words in limits.items() if name in schema]
    return "; ".join(said)


def _choice(
    label: str, choices: list[Any], given: Any, *, required: bool
) -> tuple[Any, Callable[[Any], Any]]:
    shown = {str(number): _words(one) for number, one in enumerate(choices)}
    at = next((str(n) for n, one in enumerate(choices) if one == given), "")
    if not required or not at:
        shown = {"": "not set" if not required else "choose", **shown}
    element = ui.select(shown, value=at, label=label).props("outlined dense options-dense")

    def read(chosen: Any) -> Any:
        if chosen:
            return choices[int(chosen)]
        if required:
            raise ValueError("choose one")
        return UNSET

    return element, read


def _words(choice: Any) -> str:
    if isinstance(choice, bool):
        return "yes" if choice else "no"
    return one_line(choice if isinstance(choice, str) else json.dumps(choice))


def _number_of(kind: str, *, required: bool) -> Callable[[Any], Any]:
    def read(text: Any) -> Any:
        given = str(text or "").strip()
        if not given:
            if required:
                raise ValueError("a number is needed")
            return UNSET
        try:
            return int(given)
        except ValueError:
            if kind == "integer":
                raise ValueError(f"{given[:40]!r} is no whole number") from None
        try:
            return loads_unambiguous(given) if given[-1] != "." else float(given)
        except ValueError:
            raise ValueError(f"{given[:40]!r} is no number") from None

    return read


def _text_of(*, required: bool) -> Callable[[Any], Any]:
    def read(text: Any) -> Any:
        return text or ("" if required else UNSET)

    return read


def _json_of(text: Any) -> Any:
    if not str(text or "").strip():
        return UNSET
    try:
        return loads_unambiguous(str(text))
    except ValueError as error:
        raise ValueError(f"it is not JSON: {error}") from error
