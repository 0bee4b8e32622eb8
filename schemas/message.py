"""The message: an MCP `tools/call` request in JSON-RPC 2.0 (design.md §3).

Built and checked here by hand and held against the types of `mcp_types` in the tests: importing
those models costs a worker's cold start several times what boto3 costs.
Source: MCP specification 2026-07-28, "Tools: calling tools"; JSON-RPC 2.0 §4.
"""

from __future__ import annotations

import re
from dataclasses import dataclass  # made by the thousand: the standard library's are quicker then
from typing import Any

from sqswarm.schemas.baggage import is_header
from sqswarm.schemas.call_meta import NOTIFY, TAGS
from sqswarm.schemas.errors import PoisonMessage
from sqswarm.schemas.ids import adopted_task_id, event_task_id, is_recorded_first, is_traceparent
from sqswarm.schemas.json import NESTING_LIMIT, JsonLimitError, JsonObject, dumps, loads, name_fault
from sqswarm.schemas.payload import ARGUMENTS, event_payload_key, payload_key
from sqswarm.schemas.tags import Tags, tags_fault

_META = "dev.sqswarm/"
_NESTING = NESTING_LIMIT + 2
"""The arguments lie in `params`, and that in the message."""
_FORMS = {
    "payload_ref": (re.compile(r"s3://[a-z0-9.-]{3,63}/.+"), "an s3:// address"),
    "parent": (re.compile(r"[0-9a-f-]{36}#[0-9]{1,9}"), "a task id, # and a child's number"),
    "redriven_from": (re.compile(r"[0-9a-f-]{36}"), "a task id"),
    "published_by": (re.compile(r"[a-z0-9_-]{1,40}#[0-9a-f-]{36}"), "an agent, # and a task id"),
    "code": (re.compile(r"[0-9]{1,19}"), "a number of a function's version"),
    "deadline": (
        re.compile(r"[0-9]{4}(-[0-9]{2}){2}T[0-9]{2}(:[0-9]{2}){2}(\.[0-9]{1,6})?Z"),
        "a time in UTC like 2026-11-21T00:00:00Z",
    ),
}
_CLAIMS = (
    *("principal", "parent", "parent_agent", "deadline", "payload_ref"),
    *("session_id", "ordering_key", "redriven_from", "published_by"),
    *("arguments", "tags", "notify"),
)
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
    ("published-by", "published_by"),
    ("code", "code"),
)
_CONTEXT = ("traceparent", "tracestate", "baggage")
"""What MCP reserves in `_meta` for W3C's context (SEP-414)."""


@dataclass(frozen=True, kw_only=True)
class Message:
    """One task's request on the wire, or one event's (then `topic` is set and `name` is it).

    `id` is the task's id, or the event's: each subscribed agent derives its own task id from it.
    `arguments` is None where `payload_ref` says where they wait. `v` is the hint for acquire.
    `deadline` is ISO 8601 in UTC. `parent` is `<task id>#<number>`, a task of `parent_agent`.
    `code` is the function's version that the task began with, a hint as `v` is. `notify` names who
    is told of its end (notice.py). `published_by` is `<agent>#<task id>`: the task whose result an
    event is.
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
    published_by: str | None = None
    traceparent: str | None = None
    tracestate: str | None = None
    baggage: str | None = None
    tags: Tags | None = None
    code: str | None = None
    notify: tuple[str, ...] | None = None

    def task_id(self, agent: str) -> str:
        """Return the id of the task that `agent` gets of this message."""
        return self.id if self.topic is None else event_task_id(self.id, agent)

    @property
    def arguments_key(self) -> str:
        """Return the blob key under which its arguments lie, if they lie in S3."""
        if self.topic is not None:
            return event_payload_key(self.topic, self.id)
        return payload_key(self.name, self.id, ARGUMENTS)

    def contradicts(self, record: Message) -> PoisonMessage | None:
        """Return why this is poison beside the message that its task's record makes, if it is.

        What it leaves out it does not claim: the record has that, and is the truth.
        """
        for name in _CLAIMS:
            claimed = getattr(self, name)
            if claimed is not None and claimed != getattr(record, name):
                why = f"its {name} is not the one in the record of task {record.id}"
                return PoisonMessage("contradicts-record", why)
        return None

    def unbacked(self, *, payload_ref: str) -> PoisonMessage | None:
        """Return why this is poison where its task has no record, if it is.

        `payload_ref` is where the arguments of this task lie, if they lie in S3.
        """
        if self.parent is not None or self.parent_agent is not None:
            why = "it claims a parent, and a child has its record before its message"
        elif is_recorded_first(self.id):
            why = f"{self.id} is the id of a task that has its record before its message"
        elif self.payload_ref not in {None, payload_ref}:
            why = f"it claims the payload of another: {self.payload_ref}"
        else:
            return None
        return PoisonMessage("no-record", f"there is no such task: {why}")

    def encode(self) -> str:
        """Return the JSON text that travels."""
        meta: JsonObject = {"progressToken": self.id}
        for name in _CONTEXT:
            if value := getattr(self, name):
                meta[name] = value
        for key, field in _TEXT_FIELDS:
            value = getattr(self, field)
            if value is not None:
                meta[_META + key] = value
        if self.tags:
            meta[TAGS] = self.tags
        if self.notify:
            meta[NOTIFY] = [*self.notify]
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

    Raises PoisonMessage with the reason `not-json`, `over-limit` or `wrong-shape`: no retry can
    mend any of them.
    """
    try:
        body = loads(text, nesting=_NESTING)
    except JsonLimitError as error:
        raise PoisonMessage("over-limit", f"the message is over a limit: {error}") from error
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
    context = {name: str(meta[name]) for name in _CONTEXT if is_header(meta.get(name))}
    if not is_traceparent(context.get("traceparent")):
        # One of another form is ignored (W3C Trace Context §4.3): then the trace begins here.
        context.pop("traceparent", None)
        context.pop("tracestate", None)
    return Message(
        id=task_id,
        name=name,
        arguments=None if fields["payload_ref"] is not None else arguments,
        **context,
        tags=_tags(meta),
        notify=_notify(meta),
        **fields,
    )


def _text_fields(meta: JsonObject) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    for key, field in _TEXT_FIELDS:
        value = fields[field] = meta.get(_META + key)
        if value is not None and (fault := _fault(field, value)):
            raise PoisonMessage("wrong-shape", f"params._meta {_META}{key} {fault}")
    return fields


def _tags(meta: JsonObject) -> Tags | None:
    tags = meta.get(TAGS)
    if tags is not None and (fault := tags_fault(tags)):
        raise PoisonMessage("wrong-shape", f"params._meta {TAGS} {fault}")
    return tags or None


def _notify(meta: JsonObject) -> tuple[str, ...] | None:
    notify = meta.get(NOTIFY)
    if notify is None:
        return None
    from sqswarm.schemas.notice import notify_fault  # few tasks have it

    if fault := notify_fault(notify):
        raise PoisonMessage("wrong-shape", f"params._meta {NOTIFY} {fault}")
    return tuple(notify) or None


def _fault(field: str, value: object) -> str | None:
    if not isinstance(value, str):
        return "is not a string"
    if (form := _FORMS.get(field)) and not form[0].fullmatch(value):
        return f"is not {form[1]}"
    return name_fault(value)


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
