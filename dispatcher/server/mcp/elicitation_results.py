"""Answers: what an MCP client's people said to the questions of a task."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqswarm.dispatcher.connection import Connection
from sqswarm.dispatcher.lifecycle.answer import DECLINED_KEY, VALUE_KEY, fitting, give
from sqswarm.dispatcher.view import find
from sqswarm.schemas.errors import InvalidArguments
from sqswarm.schemas.json import JsonObject
from sqswarm.schemas.lifecycle import Status


async def take_answers(connection: Connection, task_id: str, responses: Mapping[str, Any]) -> None:
    """Record the answers to questions that are open, all in one write; resume where none is left.

    A key that is not asked, or was answered before, is ignored. Raises InvalidArguments where an
    answer breaks its question's schema; then nothing is recorded.
    """
    while True:
        record = await find(connection, task_id)
        if record is None or record.status is not Status.INPUT_REQUIRED:
            return
        given = {
            key: _kept(key, record.asks[key], response)
            for key, response in responses.items()
            if key in record.asks
        }
        if not given or await give(connection, record, given) is not None:
            return


def _kept(key: str, asked: JsonObject, response: Any) -> JsonObject:
    """Return what the record keeps of an `ElicitResult`."""
    action = response.get("action") if isinstance(response, Mapping) else None
    match action:
        case "accept":
            return {VALUE_KEY: fitting(key, asked, response.get("content"))}
        case "decline" | "cancel":
            return {DECLINED_KEY: True}
        case _:
            message = f"the answer to {key!r} has no action: accept, decline or cancel"
            raise InvalidArguments(message)
