"""Subscriptions: `subscriptions/listen`, whose response is the stream of what changes.

Nothing reports to this process when a task changes, wherever it runs: the stream reads the table,
all its tasks at once.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from typing import Any, Literal

import mcp_types as types
from mcp.server.mcpserver import require_client_extension
from mcp.server.subscriptions import SUBSCRIPTION_ID_META_KEY
from mcp.shared.exceptions import MCPError
from pydantic import BaseModel

from sqswarm.dispatcher.connection import Connection
from sqswarm.dispatcher.server.auth.identity import identity_of
from sqswarm.dispatcher.server.context import ServerContext
from sqswarm.dispatcher.server.limits import LimitReached, account_of
from sqswarm.dispatcher.server.mcp.request_context import TASKS_EXTENSION, RequestContext
from sqswarm.dispatcher.server.mcp.wire import detailed_task
from sqswarm.dispatcher.server.problem import json_rpc_error_of
from sqswarm.dispatcher.view import find_many, open_view
from sqswarm.schemas.ids import is_task_id
from sqswarm.schemas.task import TaskRecord

TASKS_LIMIT = 100
"""Tasks of one stream: one batch read. Source: BatchGetItem takes 100 keys."""


class TaskNotification(BaseModel):
    """`notifications/tasks`, as the extension defines it."""

    method: Literal["notifications/tasks"] = "notifications/tasks"
    params: dict[str, Any]


class Subscriptions:
    """The open streams of this process."""

    def __init__(self, context: ServerContext) -> None:
        """Stream the tasks and the catalogue of `context`."""
        self._context = context
        self._closing = asyncio.Event()

    def close(self) -> None:
        """End every stream in good order: each says so to its client."""
        self._closing.set()

    async def listen(
        self, ctx: RequestContext, params: types.SubscriptionsListenRequestParams
    ) -> types.SubscriptionsListenResult:
        """Acknowledge what will be sent, send it until nothing can come any more, and end."""
        if ctx.request_id is None:
            raise MCPError(code=types.INVALID_REQUEST, message="A subscription needs a request id")
        wanted = params.notifications
        task_ids = (wanted.model_extra or {}).get("taskIds") or []
        if task_ids:
            require_client_extension(ctx, TASKS_EXTENSION)
        stream = _Stream(
            ctx,
            self._context,
            self._context.connection(identity_of(ctx.request)),
            tools=bool(wanted.tools_list_changed),
        )
        task_ids = [i for i in task_ids if isinstance(i, str)][:TASKS_LIMIT]
        try:
            with account_of(ctx.request).follow(len(task_ids)):
                await stream.begin(task_ids)
                while stream.lasts and not self._closing.is_set():
                    await self._pause()
                    await stream.poll()
        except LimitReached as reached:
            raise MCPError(**json_rpc_error_of(reached)) from reached
        return types.SubscriptionsListenResult(_meta=stream.meta)

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self._context.settings.look_s):
                await self._closing.wait()
        except TimeoutError:
            return


class _Stream:
    """One client's stream: what it was sent of each task last."""

    def __init__(
        self, ctx: RequestContext, context: ServerContext, connection: Connection, *, tools: bool
    ) -> None:
        self._ctx = ctx
        self._context = context
        self._connection = connection
        self._tools = tools
        self._catalogue = context.catalogue
        self._sent: dict[str, tuple[Any, ...]] = {}
        self.meta: dict[str, Any] = {SUBSCRIPTION_ID_META_KEY: ctx.request_id}

    @property
    def lasts(self) -> bool:
        """Whether anything may still be sent."""
        return self._tools or bool(self._sent)

    async def begin(self, task_ids: list[str]) -> None:
        """Acknowledge the caller's own tasks among `task_ids`, and send how each stands."""
        wanted = dict.fromkeys(i for i in task_ids if is_task_id(i))
        records = await find_many(self._connection, wanted)
        self._sent = dict.fromkeys(records, ())
        honored_ids = {"taskIds": list(self._sent)} if task_ids else {}
        honored = types.SubscriptionFilter.model_validate(
            {"toolsListChanged": self._tools or None, **honored_ids}
        )
        await self._send(
            types.SubscriptionsAcknowledgedNotification(
                params=types.SubscriptionsAcknowledgedNotificationParams(
                    notifications=honored, _meta=self.meta
                )
            )
        )
        await self._send_changes(records.values())

    async def poll(self) -> None:
        """Send what has changed since."""
        records = await find_many(self._connection, dict.fromkeys(self._sent))
        await self._send_changes(records.values())
        if self._tools and await self._context.refresh() != self._catalogue:
            self._catalogue = self._context.catalogue
            params = types.NotificationParams(_meta=self.meta)
            await self._send(types.ToolListChangedNotification(params=params))

    async def _send_changes(self, records: Iterable[TaskRecord]) -> None:
        for record in records:
            state = (record.status, record.updated_ms, record.status_message, record.open_asks)
            if self._sent.get(record.task_id) == state:
                continue
            self._sent[record.task_id] = state
            view = await open_view(self._connection, record)
            task = detailed_task(view, self._connection.runner.now_ms())
            await self._send(TaskNotification(params={**task, "_meta": self.meta}))
            if record.status.terminal:
                del self._sent[record.task_id]

    async def _send(self, notification: Any) -> None:
        await self._ctx.session.send_notification(
            notification, related_request_id=self._ctx.request_id
        )
