"""Asking: arguments that a person is asked for before there is a task. Pure.

Source: MCP 2026-07-28, multi round-trip requests (SEP-2322): the server answers a call with what
it needs to know, and the client repeats the call with the answers beside it. Nothing is kept in
between, so any instance of the server may take the repeat.
"""

from __future__ import annotations

from typing import Any

from sqswarm.schemas.catalogue import CatalogueEntry
from sqswarm.schemas.json import JsonObject

KEY = "arguments"
"""The one question of a call: a form of everything that is missing."""


def shown_schema(entry: CatalogueEntry) -> JsonObject:
    """Return the input schema as clients see it: what people are asked for may be left out."""
    required = entry.input_schema.get("required", [])
    kept = [name for name in required if name not in entry.as_tool.ask_for]
    schema = {name: value for name, value in entry.input_schema.items() if name != "required"}
    return {**schema, "required": kept} if kept else schema


def missing(entry: CatalogueEntry, arguments: JsonObject) -> list[str]:
    """Return the required arguments that this call leaves to a person."""
    required = entry.input_schema.get("required", [])
    return [n for n in entry.as_tool.ask_for if n in required and n not in arguments]


def form(entry: CatalogueEntry, names: list[str]) -> JsonObject:
    """Return the `input_required` result that asks for these arguments."""
    properties = entry.input_schema["properties"]
    return {
        "resultType": "input_required",
        "inputRequests": {
            KEY: {
                "method": "elicitation/create",
                "params": {
                    "mode": "form",
                    "message": f"{entry.title} needs: {', '.join(names)}.",
                    "requestedSchema": {
                        "type": "object",
                        "properties": {name: properties[name] for name in names},
                        "required": names,
                    },
                },
            }
        },
    }


def filled_in(arguments: JsonObject, names: list[str], responses: Any) -> JsonObject | None:
    """Return the arguments with what was answered; None where the answer is a refusal.

    Only what was asked for is taken over, and nothing that the call itself says.
    """
    response = responses.get(KEY) if isinstance(responses, dict) else None
    if not isinstance(response, dict):
        return arguments
    if response.get("action") != "accept":
        return None
    content = response.get("content")
    said = content if isinstance(content, dict) else {}
    return {**{name: said[name] for name in names if name in said}, **arguments}
