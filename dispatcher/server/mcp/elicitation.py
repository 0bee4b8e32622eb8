"""Elicitation: what people are asked, before there is a task and while there is one.

Before (source: MCP 2026-07-28, multi round-trip requests, SEP-2322): the server answers a call
with what it needs to know, and the client repeats the call with the answers beside it. Nothing is
kept in between, so any instance of the server may take the repeat.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqswarm.dispatcher.connection import Connection
from sqswarm.dispatcher.lifecycle.answer import (
    DECLINED_KEY,
    VALUE_KEY,
    check_answer,
    record_answers,
)
from sqswarm.dispatcher.view import find
from sqswarm.schemas.catalogue import CatalogueEntry
from sqswarm.schemas.errors import InvalidArguments
from sqswarm.schemas.json import JsonObject
from sqswarm.schemas.lifecycle import Status

KEY = "arguments"
"""The one question of a call: a form of everything that is missing."""


def client_schema(entry: CatalogueEntry) -> JsonObject:
    """Return the input schema as clients see it: what people are asked for may be left out."""
    required = entry.input_schema.get("required", [])
    kept = [name for name in required if name not in entry.as_tool.ask_for]
    schema = {name: value for name, value in entry.input_schema.items() if name != "required"}
    return {**schema, "required": kept} if kept else schema


def missing_arguments(entry: CatalogueEntry, arguments: JsonObject) -> list[str]:
    """Return the required arguments that this call leaves to a person."""
    required = entry.input_schema.get("required", [])
    return [n for n in entry.as_tool.ask_for if n in required and n not in arguments]


def elicitation_form(entry: CatalogueEntry, names: list[str]) -> JsonObject:
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


def fill_in(arguments: JsonObject, names: list[str], responses: Any) -> JsonObject | None:
    """Return the arguments with what was answered; None where the answer is a refusal.

    Only what was asked for is taken over, and nothing that the call itself says.
    """
    response = responses.get(KEY) if isinstance(responses, dict) else None
    if not isinstance(response, dict):
        return arguments
    if response.get("action") != "accept":
        return None
    content = response.get("content")
    answers = content if isinstance(content, dict) else {}
    return {**{name: answers[name] for name in names if name in answers}, **arguments}


async def record_elicitation_results(
    connection: Connection, task_id: str, responses: Mapping[str, Any]
) -> None:
    """Record the answers to questions that are open, all in one write; resume where none is left.

    A key that is not open, or was answered before, is ignored. Raises InvalidArguments where an
    answer breaks its question's schema; then nothing is recorded.
    """
    while True:
        record = await find(connection, task_id)
        if record is None or record.status is not Status.INPUT_REQUIRED:
            return
        answers = {
            key: _answer_of(key, record.asks[key], response)
            for key, response in responses.items()
            if key in record.asks
        }
        if not answers:
            return
        by = connection.principal
        if await record_answers(connection, record, answers, by=by) is not None:
            return


def _answer_of(key: str, question: JsonObject, response: Any) -> JsonObject:
    """Return what the record keeps of an `ElicitResult`."""
    action = response.get("action") if isinstance(response, Mapping) else None
    match action:
        case "accept":
            return {VALUE_KEY: check_answer(key, question, response.get("content"))}
        case "decline" | "cancel":
            return {DECLINED_KEY: True}
        case _:
            message = f"the answer to {key!r} has no action: accept, decline or cancel"
            raise InvalidArguments(message)
