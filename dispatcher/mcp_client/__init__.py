"""Calling MCP: tasks on any MCP server, through any `mcp.Client`.

>>> from sqswarm.dispatcher.mcp_client import connect, submit
>>> async with connect(url) as client:  # or mcp.Client(..., extensions=[tasks()])  # doctest: +SKIP
...     task = await submit(client, "summarise", {"text": "…"})
...     result = await task.result(timeout=600)

Importing this package imports the MCP SDK (a second or so): workers do so only when they call out.
"""

from sqswarm.dispatcher.mcp_client.connect import connect
from sqswarm.dispatcher.mcp_client.extension import tasks
from sqswarm.dispatcher.mcp_client.handle import TaskHandle, submit
from sqswarm.dispatcher.mcp_client.wire import IDENTIFIER, TaskState
from sqswarm.dispatcher.url_policy import AddressRefused, UrlPolicy
from sqswarm.schemas.call_meta import IDEMPOTENCY_KEY

__all__ = [
    "IDEMPOTENCY_KEY",
    "IDENTIFIER",
    "AddressRefused",
    "TaskHandle",
    "TaskState",
    "UrlPolicy",
    "connect",
    "submit",
    "tasks",
]
