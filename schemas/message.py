"""The message: an MCP `tools/call` request in JSON-RPC 2.0 (design.md §3).

Built and checked here by hand and held against the types of `mcp_types` in the tests: importing
those models costs a worker's cold start several times what boto3 costs.
Source: MCP specification 2026-07-28, "Tools: calling tools"; JSON-RPC 2.0 §4.
"""

from __future__ import annotations

import re
from dataclasses import dataclass  # made by the thousand: the standard library's are quicker then
from typing import Any

from sqswarm.schemas.errors import PoisonMessage
from sqswarm.schemas.ids import adopted_task_id, event_task_id
from sqswarm.schemas.json import JsonObject, dumps, loads

_META = "dev.sqswarm/"
_S3_URL = re.compile(r"^s3://[a-z0-9.-]{3,63}/.+$")
_TEXT_FIELDS = (
    ("principal", "principal"),
    ("parent", "parent"),
    ("parent-agent", "parent_agent"),
    ("deadline", "deadline"),
    ("payload", "payload_ref"),
    ("v", "v"),
    ("topic", "topic"),
    ("session", "session_id"),
    ("ordering-key", "ordering_key"),
    ("redriven-from", "redriven_from"),
)


@dataclass(frozen=True, kw_only=True)
class Message:
    """One task's request on the wire, or one event's (then `topic` is set and `name` is it).

    `id` is the task's id, or the event's: each subscribed agent derives its own task id from it.
    `arguments` is None where `payload_ref` says where they wait. `v` is the hint for acquire.
    `deadline` is ISO 8601 in UTC. `parent` is `<task id>#<number>`, a task of `parent_agent`.
    """

    id: str
    name: str
    arguments: JsonObject | None
    payload_ref: str | None = None
    principal: str
    parent: str | None = None
    parent_agent: str | None = None
    deadline: str | None = None
    v: str | None = None
    topic: str | None = None
    session_id: str | None = None
    ordering_key: str | None = None
    redriven_from: str | None = None
    traceparent: str | None = None

    def task_id(self, agent: str) -> str:
        """Return the id of the task that `agent` gets of this message."""
        return self.id if self.topic is None else event_task_id(self.id, agent)

    def encode(self) -> str:
        """Return the JSON text that travels."""
        meta: JsonObject = {"progressToken": self.id}
        if self.traceparent:
            meta["traceparent"] = self.traceparent
        for key, field in _TEXT_FIELDS:
            value = getattr(self, field)
            if value is not None:
                meta[_META + key] = value
        return dumps(
            {
                "jsonrpc": "2.0",
                "id": self.id,
                "method": "tools/call",
                "params": {"name": self.name, "arguments": self.arguments or {}, "_meta": meta},
            }
        )


def decode(text: str) -> Message:
    """Return the message in `text`.

    Raises PoisonMessage with the reason `not-json` or `wrong-shape`: no retry can mend either.
    """
    try:
        body = loads(text)
    except ValueError as error:
        raise PoisonMessage("not-json", f"the message is not JSON: {error}") from error
    match body:
        case {
            "jsonrpc": "2.0",
            "id": str(given),
            "method": "tools/call",
            "params": {"name": str(name), "_meta": dict(meta), **rest},
        } if task_id := adopted_task_id(given, name):
            pass
        case _:
            raise PoisonMessage("wrong-shape", _what_is_wrong(body))
    arguments = rest.get("arguments", {})
    if not isinstance(arguments, dict):
        raise PoisonMessage("wrong-shape", "params.arguments is not an object")
    fields = _text_fields(meta)
    if fields["principal"] is None:
        raise PoisonMessage("wrong-shape", f"params._meta has no {_META}principal")
    payload_ref = fields["payload_ref"]
    if payload_ref is not None and not _S3_URL.match(payload_ref):
        raise PoisonMessage("wrong-shape", f"{_META}payload is not an s3:// address")
    traceparent = meta.get("traceparent")
    return Message(
        id=task_id,
        name=name,
        arguments=None if payload_ref is not None else arguments,
        traceparent=traceparent if isinstance(traceparent, str) else None,
        **fields,
    )


def _text_fields(meta: JsonObject) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for key, field in _TEXT_FIELDS:
        value = meta.get(_META + key)
        if value is not None and not isinstance(value, str):
            raise PoisonMessage("wrong-shape", f"params._meta {_META}{key} is not a string")
        fields[field] = value
    return fields


def _what_is_wrong(body: object) -> str:
    if not isinstance(body, dict):
        return f"the message is a JSON {type(body).__name__}, not a JSON-RPC request object"
    if body.get("jsonrpc") != "2.0" or body.get("method") != "tools/call":
        return "the message is not a JSON-RPC 2.0 request with method tools/call"
    given = body.get("id")
    if not isinstance(given, str) or adopted_task_id(given, "") is None:
        return "the request's id is not a task id (a UUID)"
    params = body.get("params")
    if not isinstance(params, dict):
        return "the request has no params object"
    if not isinstance(params.get("name"), str):
        return "params.name is not the name of an agent"
    return "params._meta is not an object"
