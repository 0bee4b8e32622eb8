"""A process of its own that traces: the servers over a memory swarm, and their callers."""

import asyncio
import os

import httpx2
from mcp import Client
from memory_server import memory_server, say
from opentelemetry import trace
from rpc import Rpc

from sqswarm.dispatcher.tracing import flush_traces, start_tracing

HTTP, META, HEADER = (
    f"00-{n}bf92f3577b34da6a3ce929d0e0e473{n}-00f067aa0ba902b7-01" for n in (1, 2, 3)
)


async def call(url):
    root = url.removesuffix("/mcp")
    async with httpx2.AsyncClient(timeout=40) as http:
        body = {"agent": "say", "arguments": {"text": "http"}}
        made = await http.post(f"{root}/tasks", json=body, headers={"traceparent": HTTP})
        assert made.status_code in {200, 201, 202}, made.text
        found = await http.get(f"{root}/tasks/{made.json()['taskId']}")
        assert found.status_code == 200, found.text
    arguments = {"name": "say", "arguments": {"text": "meta"}}
    await Rpc(url, tasks=False)("tools/call", **arguments, _meta={"traceparent": META})
    await Rpc(url, tasks=False, headers={"traceparent": HEADER})("tools/call", **arguments)
    with trace.get_tracer("mine").start_as_current_span("client"):
        async with Client(url) as client:
            await client.call_tool("say", {"text": "client"})


def main():
    start_tracing(os.environ)
    with memory_server(agents=(say,)) as server:
        asyncio.run(call(f"{server.url.removesuffix('/mcp')}/mcp"))
    asyncio.run(flush_traces())


if __name__ == "__main__":
    main()
