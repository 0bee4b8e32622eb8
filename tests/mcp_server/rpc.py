"""One JSON-RPC request at a time, as a client of revision 2026-07-28 sends it."""

import asyncio
import itertools
import time

import httpx2

VERSION = "2026-07-28"
TASKS = "io.modelcontextprotocol/tasks"
_NAMES = {"tools/call": "name", "resources/read": "uri"}
_ids = itertools.count(1)


class RpcError(Exception):
    def __init__(self, status, error):
        super().__init__(error["message"])
        self.status = status
        self.code = error["code"]
        self.data = error.get("data")


class Rpc:
    """A client without state: every request stands alone, so any server may answer it."""

    def __init__(self, url, *, tasks=True, elicitation=True, transport=None, headers=None):
        capabilities = {"elicitation": {}} if elicitation else {}
        if tasks:
            capabilities["extensions"] = {TASKS: {}}
        self._meta = {
            "io.modelcontextprotocol/protocolVersion": VERSION,
            "io.modelcontextprotocol/clientInfo": {"name": "test", "version": "1"},
            "io.modelcontextprotocol/clientCapabilities": capabilities,
        }
        self._url = url
        self._transport = transport
        self._headers = headers or {}

    def request(self, method, params):
        named = params.get(_NAMES.get(method, "taskId"))
        headers = {
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": VERSION,
            "Mcp-Method": method,
            **({"Mcp-Name": named} if named else {}),
            **self._headers,
        }
        meta = {**self._meta, **params.get("_meta", {})}
        body = {
            "jsonrpc": "2.0",
            "id": next(_ids),
            "method": method,
            "params": {**params, "_meta": meta},
        }
        return {"url": self._url, "headers": headers, "json": body}

    def http(self):
        return httpx2.AsyncClient(timeout=40, transport=self._transport)

    async def __call__(self, method, **params):
        async with self.http() as http:
            answer = await http.post(**self.request(method, params))
        body = answer.json()
        if "error" in body:
            raise RpcError(answer.status_code, body["error"])
        return body["result"]

    async def call(self, tool, arguments=None, **more):
        return await self("tools/call", name=tool, arguments=arguments or {}, **more)

    async def until(self, task_id, *statuses, timeout_s=120):
        """Poll until the task has one of `statuses`, or has ended."""
        ends = time.monotonic() + timeout_s
        while True:
            task = await self("tasks/get", taskId=task_id)
            if task["status"] in {*statuses, "completed", "failed", "cancelled"}:
                return task
            assert time.monotonic() < ends, task
            await asyncio.sleep(0.1)
