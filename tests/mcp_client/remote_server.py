"""A small MCP server with the Tasks extension: run it as a script with a port and a file.

It keeps its tasks in the file, so that a restarted one knows them, and one line of `FILE.calls` for
every task it makes. POST /fail?n=3 makes the next three requests fail with 503.
"""

import json
import sys
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

import uvicorn
from mcp import MCPError
from mcp.server import MCPServer
from mcp.server.extension import Extension, MethodBinding
from mcp.shared.inbound import decode_header_value
from mcp_types import HEADER_MISMATCH, INVALID_PARAMS, CallToolResult, RequestParams, TextContent
from mcp_types.version import MODERN_PROTOCOL_VERSIONS
from pydantic import ConfigDict
from pydantic.alias_generators import to_camel
from starlette.responses import PlainTextResponse

IDENTIFIER = "io.modelcontextprotocol/tasks"
POLL_MS = 100
FORM = {"type": "object", "properties": {"sure": {"type": "boolean"}}, "required": ["sure"]}


class Params(RequestParams):
    model_config = ConfigDict(alias_generator=to_camel, extra="allow")
    task_id: str


class UpdateParams(Params):
    input_responses: dict


class Book:
    """The tasks, in a file."""

    def __init__(self, path):
        self.path = path
        self.tasks = json.loads(path.read_text()) if path.exists() else {}

    def save(self):
        self.path.write_text(json.dumps(self.tasks))

    def make(self, tool, arguments, meta):
        key = meta.get("dev.sqswarm/idempotencyKey")
        for task_id, task in self.tasks.items():
            if key is not None and task["key"] == key:
                return task_id
        task_id = str(uuid.uuid4())
        self.tasks[task_id] = {
            "tool": tool, "arguments": arguments, "key": key, "at": time.time(),
            "answers": {}, "cancelled": False,
        }  # fmt: skip
        with self.path.with_suffix(".calls").open("a") as file:
            file.write(json.dumps([tool, key]) + "\n")
        self.save()
        return task_id

    def shown(self, task_id):
        task = self.tasks.get(task_id)
        if task is None:
            raise MCPError(code=INVALID_PARAMS, message=f"no task {task_id}")
        now = datetime.now(UTC).isoformat()
        told = {"taskId": task_id, "createdAt": now, "lastUpdatedAt": now, "ttlMs": None,
                "pollIntervalMs": POLL_MS}  # fmt: skip
        return {**told, **self.ending(task)}

    def ending(self, task):
        arguments = task["arguments"]
        if task["cancelled"]:
            return {"status": "cancelled"}
        match task["tool"]:
            case "slow" if time.time() < task["at"] + arguments["seconds"]:
                return {"status": "working", "statusMessage": "at it"}
            case "slow":
                return completed(f"done {arguments['text']}", {"result": arguments["text"]})
            case "refuse":
                return completed("it refused", None, is_error=True)
            case "crash":
                return {"status": "failed", "error": {"code": -32603, "message": "it crashed"}}
            case "confirm" if "sure" in task["answers"]:
                said = task["answers"]["sure"]
                return completed(
                    "answered", {"result": said["action"], "content": said.get("content")}
                )
            case "confirm":
                asked = {"mode": "form", "message": "Sure?", "requestedSchema": FORM}
                question = {"method": "elicitation/create", "params": asked}
                return {"status": "input_required", "inputRequests": {"sure": question}}


def completed(text, structured, *, is_error=False):
    result = {"content": [{"type": "text", "text": text}], "isError": is_error}
    if structured is not None:
        result["structuredContent"] = structured
    return {"status": "completed", "result": result}


class Tasks(Extension):
    identifier = IDENTIFIER

    def __init__(self, book):
        self.book = book

    def methods(self):
        versions = frozenset(MODERN_PROTOCOL_VERSIONS)
        return [
            MethodBinding("tasks/get", Params, self.get, versions),
            MethodBinding("tasks/update", UpdateParams, self.update, versions),
            MethodBinding("tasks/cancel", Params, self.cancel, versions),
        ]

    async def intercept_tool_call(self, params, ctx, call_next):
        able = ctx.session.client_capabilities
        extensions = (able.extensions if able else None) or {}
        if params.name == "greet" or IDENTIFIER not in extensions:
            return await call_next(ctx)
        meta = dict(params.meta or {})
        task_id = self.book.make(params.name, params.arguments or {}, meta)
        return {**self.book.shown(task_id), "resultType": "task"}

    def checked(self, ctx, params):
        sent = ctx.request.headers.get("mcp-name") if ctx.request else params.task_id
        if sent is None or decode_header_value(sent) != params.task_id:
            raise MCPError(code=HEADER_MISMATCH, message=f"Mcp-Name is {sent!r}")
        return params.task_id

    async def get(self, ctx, params):
        return self.book.shown(self.checked(ctx, params))

    async def update(self, ctx, params):
        task_id = self.checked(ctx, params)
        self.book.shown(task_id)
        self.book.tasks[task_id]["answers"].update(params.input_responses)
        self.book.save()
        return {}

    async def cancel(self, ctx, params):
        task_id = self.checked(ctx, params)
        if self.book.shown(task_id)["status"] in {"working", "input_required"}:
            self.book.tasks[task_id]["cancelled"] = True
            self.book.save()
        return {}


def app(book, *, token=None):
    server = MCPServer("remote", extensions=[Tasks(book)], log_level="ERROR")

    @server.tool()
    def greet(name: str) -> str:
        """Answer at once."""
        return f"Hello, {name}!"

    @server.tool()
    def slow(seconds: float, text: str) -> str:
        """Take some time."""
        time.sleep(min(seconds, 1))
        return text

    @server.tool()
    def refuse() -> CallToolResult:
        """Return an error."""
        return CallToolResult(content=[TextContent(type="text", text="it refused")], is_error=True)

    @server.tool()
    def crash() -> str:
        """Fail."""
        raise MCPError(code=-32603, message="it crashed")

    @server.tool()
    def confirm(filename: str) -> Literal["accept", "decline"]:
        """Ask first."""
        raise AssertionError(filename)

    return Troubled(server.streamable_http_app(stateless_http=True), token)


class Troubled:
    """The application, with a way to make it fail, and perhaps a token to ask for."""

    def __init__(self, inner, token):
        self.inner = inner
        self.token = token
        self.failing = 0

    async def __call__(self, scope, receive, send):
        await self.chosen(scope)(scope, receive, send)

    def chosen(self, scope):
        if scope["type"] != "http":
            return self.inner
        if scope["path"] == "/fail":
            self.failing = int(scope["query_string"].partition(b"=")[2])
            return PlainTextResponse("ok")
        if self.failing:
            self.failing -= 1
            return PlainTextResponse("busy", 503)
        given = dict(scope["headers"]).get(b"authorization", b"").decode()
        if self.token and given != f"Bearer {self.token}":
            return PlainTextResponse("who are you?", 401)
        return self.inner


if __name__ == "__main__":
    port, path, *token = sys.argv[1:]
    served = app(Book(Path(path)), token=token[0] if token else None)
    uvicorn.run(served, host="127.0.0.1", port=int(port), log_level="error")
