"""Arguments: `k=v` on the command line → JSON, as the agent's input schema wants it.

text=hello        text as it is; numbers, true/false and lists where the schema says so
rows:=[1,2]       JSON, whatever the schema says
text=@notes.txt   the contents of a file
tags=a tags=b     a list, item by item
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from sqswarm.schemas.errors import InvalidArguments, UsageError
from sqswarm.schemas.json import JsonObject, loads_unambiguous

_PAIR = re.compile(r"([A-Za-z_][\w.-]*)(:=|=)(.*)", re.DOTALL)
_TRUTHS = {"true": True, "yes": True, "1": True, "false": False, "no": False, "0": False}
_JSON_TYPES: dict[type, str] = {str: "string", bool: "boolean", int: "integer", float: "number"}


def parse_arguments(pairs: Iterable[str], schema: JsonObject) -> JsonObject:
    """Return the arguments that `pairs` spell.

    Raises UsageError for what is no pair, InvalidArguments for a value of the wrong type. What
    the schema does not know stays text: the dispatcher's own check names it.
    """
    arguments: JsonObject = {}
    lists: set[str] = set()
    for pair in pairs:
        found = _PAIR.fullmatch(pair)
        if found is None:
            message = f"{pair!r} is not an argument"
            raise UsageError(message, hint="Write NAME=VALUE, NAME:=JSON or NAME=@FILE.")
        name, sign, text = found.groups()
        property_schema = schema.get("properties", {}).get(name, {})
        one_item = (
            sign == "="
            and "array" in _types(property_schema, schema)
            and not text.startswith(("[", "@"))
        )
        if name in arguments and not (one_item and name in lists):
            message = f"the argument {name!r} is given twice"
            raise UsageError(message, hint=f"Give a list as {name}:='[…]'.")
        if one_item:
            lists.add(name)
            items = _resolved(property_schema, schema, "array").get("items", {})
            arguments.setdefault(name, []).append(_value(name, text, items, schema))
        elif sign == ":=":
            arguments[name] = _json(name, text)
        else:
            arguments[name] = _value(name, _from_file(name, text), property_schema, schema)
    return arguments


def is_assignment(word: str) -> bool:
    """Tell whether a word is NAME=VALUE or NAME:=JSON."""
    return _PAIR.fullmatch(word) is not None


def read_json_file(path: str) -> Any:
    """Return the JSON in a file; raises UsageError where it cannot be read."""
    try:
        return loads_unambiguous(Path(path).read_bytes())
    except (OSError, ValueError) as error:
        message = f"{path}: {error}"
        raise UsageError(message, hint="Name a file that holds one JSON document.") from error


def merged_schema(schemas: Sequence[JsonObject]) -> JsonObject:
    """Return one schema that knows the arguments of several agents; the first word counts."""
    properties: JsonObject = {}
    definitions: JsonObject = {}
    for schema in schemas:
        properties = {**schema.get("properties", {}), **properties}
        definitions = {**schema.get("$defs", {}), **definitions}
    return {"properties": properties, "$defs": definitions}


def _from_file(name: str, text: str) -> str:
    if not text.startswith("@"):
        return text
    try:
        return Path(text[1:]).read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as error:
        message = f"{name}={text}: {error}"
        hint = f"Name a text file, or write {name}:='\"{text}\"' for the text itself."
        raise UsageError(message, hint=hint) from error


def _value(name: str, text: str, schema: JsonObject, root: JsonObject) -> Any:
    types = _types(schema, root)
    if not types or types <= {"string", "null"}:
        return text
    if "boolean" in types and text.lower() in _TRUTHS and not types & {"integer", "number"}:
        return _TRUTHS[text.lower()]
    try:
        value = loads_unambiguous(text)
    except ValueError:
        value = text
    if _json_type(value) in types or (_json_type(value) == "integer" and "number" in types):
        return value
    if "string" in types:
        return text
    message = f"{name}={text[:60]!r} is not {' or '.join(sorted(types))}"
    raise InvalidArguments(message, hint=f"Check the value, or give JSON: {name}:=…")


def _json(name: str, text: str) -> Any:
    try:
        return loads_unambiguous(text)
    except ValueError as error:
        message = f"{name}:={text[:60]} is not JSON: {error}"
        raise UsageError(
            message, hint=f"Quote it for the shell: {name}:='{{\"a\": 1}}'."
        ) from error


def _json_type(value: Any) -> str:
    if value is None:
        return "null"
    if isinstance(value, list | dict):
        return "array" if isinstance(value, list) else "object"
    return _JSON_TYPES[type(value)]


def _types(schema: JsonObject, root: JsonObject) -> set[str]:
    """Return the JSON types a schema takes, as far as it says; empty for any."""
    return {kind for branch in _branches(schema, root) for kind in _own_types(branch)}


def _resolved(schema: JsonObject, root: JsonObject, kind: str) -> JsonObject:
    return next((b for b in _branches(schema, root) if kind in _own_types(b)), {})


def _own_types(schema: JsonObject) -> set[str]:
    declared = schema.get("type")
    if declared is not None:
        return {declared} if isinstance(declared, str) else set(declared)
    values = schema.get("enum", [schema["const"]] if "const" in schema else [])
    return {_json_type(value) for value in values}


def _branches(schema: JsonObject, root: JsonObject) -> list[JsonObject]:
    if "$ref" in schema:
        target = root.get("$defs", {}).get(schema["$ref"].rpartition("/")[2], {})
        return _branches(target, root)
    choices = schema.get("anyOf") or schema.get("oneOf")
    if choices:
        return [branch for choice in choices for branch in _branches(choice, root)]
    return [schema]
