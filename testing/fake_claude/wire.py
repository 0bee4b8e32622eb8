"""Wire: a reply as the Messages API sends it, whole or as server-sent events."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sqswarm.schemas.json import JsonObject, dumps
from sqswarm.testing.fake_claude.script import Turn
from sqswarm.testing.fake_claude.tokens import tokens

_PIECE = 12
"""Characters of text in one event: small, so that streams are really joined."""

_ERROR_TYPES = {
    400: "invalid_request_error",
    401: "authentication_error",
    403: "permission_error",
    404: "not_found_error",
    413: "request_too_large",
    429: "rate_limit_error",
    500: "api_error",
    529: "overloaded_error",
}


def message_of(
    turn: Turn, *, number: int, model: str, last: str, usage: JsonObject, max_tokens: int
) -> JsonObject:
    """Return the reply's Message object; cut where it is longer than `max_tokens`."""
    blocks: list[JsonObject] = []
    if turn.think:
        blocks.append({"type": "thinking", "thinking": turn.think, "signature": f"sig{number}"})
    said = turn.text(last)
    if said:
        blocks.append({"type": "text", "text": said})
    blocks += [
        {"type": "tool_use", "id": f"toolu_{number:06}_{n}", "name": use["tool"], "input": _of(use)}
        for n, use in enumerate(turn.use)
    ]
    stop_reason = turn.stop_reason or ("tool_use" if turn.use else "end_turn")
    output = turn.tokens if turn.tokens is not None else tokens(dumps(blocks))
    if output > max_tokens:
        output, stop_reason = max_tokens, "max_tokens"
        blocks = [{"type": "text", "text": said[: 4 * max_tokens]}]
    return {
        "id": f"msg_{number:06}",
        "type": "message",
        "role": "assistant",
        "model": model,
        "content": blocks,
        "stop_reason": stop_reason,
        "stop_sequence": None,
        "usage": {**usage, "output_tokens": output},
    }


def _of(use: JsonObject) -> Any:
    return use.get("input", {})


def events_of(message: JsonObject) -> Iterator[JsonObject]:
    """Yield the events that a streamed reply consists of."""
    opening = {**message, "content": [], "stop_reason": None}
    opening["usage"] = {**message["usage"], "output_tokens": 1}
    yield {"type": "message_start", "message": opening}
    yield {"type": "ping"}
    for index, block in enumerate(message["content"]):
        empty, deltas = _pieces(block)
        yield {"type": "content_block_start", "index": index, "content_block": empty}
        for delta in deltas:
            yield {"type": "content_block_delta", "index": index, "delta": delta}
        yield {"type": "content_block_stop", "index": index}
    yield {
        "type": "message_delta",
        "delta": {"stop_reason": message["stop_reason"], "stop_sequence": None},
        "usage": {"output_tokens": message["usage"]["output_tokens"]},
    }
    yield {"type": "message_stop"}


def _pieces(block: JsonObject) -> tuple[JsonObject, list[JsonObject]]:
    match block["type"]:
        case "text":
            return {**block, "text": ""}, [
                {"type": "text_delta", "text": piece} for piece in _cut(block["text"])
            ]
        case "thinking":
            deltas: list[JsonObject] = [
                {"type": "thinking_delta", "thinking": piece} for piece in _cut(block["thinking"])
            ]
            deltas.append({"type": "signature_delta", "signature": block["signature"]})
            return {**block, "thinking": "", "signature": ""}, deltas
        case _:
            return {**block, "input": {}}, [
                {"type": "input_json_delta", "partial_json": piece}
                for piece in _cut(dumps(block["input"]))
            ]


def _cut(text: str) -> Iterator[str]:
    for start in range(0, len(text), _PIECE):
        yield text[start : start + _PIECE]


def error_of(status: int, message: str, *, kind: str | None = None) -> JsonObject:
    """Return the API's error object."""
    error = {"type": kind or _ERROR_TYPES.get(status, "api_error"), "message": message}
    return {"type": "error", "error": error, "request_id": "req_fake"}
