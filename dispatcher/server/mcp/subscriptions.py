"""Listen: `subscriptions/listen`, whose response is the stream of what changes.

Nothing tells this process when a task changes, wherever it runs: the stream looks at the table,
all its tasks in one read.
"""

from __future__ import annotations

import asyncio
from typing import Any, Literal

import mcp_types as types
from mcp.server.mcpserver import require_client_extension
from mcp.server.subscriptions import SUBSCRIPTION_ID_META_KEY
from mcp.shared.exceptions import MCPError
from pydantic import BaseModel

from sqswarm.dispatcher.connection import Connection
from sqswarm.dispatcher.server.mcp.request_context import TASKS_EXTENSION, Context, Who
from sqswarm.dispatcher.server.mcp.wire import detailed_task
from sqswarm.dispatcher.server.stage import Stage
from sqswarm.dispatcher.view import opened, visible
from sqswarm.schemas.ids import is_task_id
from sqswarm.schemas.task import TaskRecord, task_key

STREAMS_LIMIT = 200
TASKS_LIMIT = 100
"""Tasks of one stream: one batch read. Source: BatchGetItem takes 100 keys."""


class TaskNotification(BaseModel):
    """`notifications/tasks`, as the extension defines it."""

    method: Literal["notifications/tasks"] = "notifications/tasks"
    params: dict[str, Any]


class Listening:
    """The open streams of this process."""

    def __init__(self, stage: Stage, who: Who) -> None:
        """Serve `stage` to those that `who` tells apart."""
        self._stage = stage
        self._who = who
        self._open = 0
        self._closing = asyncio.Event()

    def close(self) -> None:
        """End every stream in good order: each says so to its client."""
        self._closing.set()

    async def listen(
        self, ctx: Context, params: types.SubscriptionsListenRequestParams
    ) -> types.SubscriptionsListenResult:
        """Acknowledge what will be told, tell it until nothing can come any more, and end."""
        if ctx.request_id is None or self._open >= STREAMS_LIMIT:
            raise MCPError(code=types.INTERNAL_ERROR, message="Subscription limit reached")
        wanted = params.notifications
        asked_ids = (wanted.model_extra or {}).get("taskIds") or []
        if asked_ids:
            require_client_extension(ctx, TASKS_EXTENSION)
        stream = _Stream(
            ctx,
            self._stage,
            self._stage.connection(self._who(ctx)),
            tools=bool(wanted.tools_list_changed),
        )
        self._open += 1
        try:
            await stream.begin([i for i in asked_ids if isinstance(i, str)][:TASKS_LIMIT])
            while stream.lasts and not self._closing.is_set():
                await self._pause()
                await stream.look()
        finally:
            self._open -= 1
        return types.SubscriptionsListenResult(_meta=stream.meta)

    async def _pause(self) -> None:
        try:
            async with asyncio.timeout(self._stage.settings.look_s):
                await self._closing.wait()
        except TimeoutError:
            return


class _Stream:
    """One client's stream: what it was told of each task last."""

    def __init__(self, ctx: Context, stage: Stage, connection: Connection, *, tools: bool) -> None:
        self._ctx = ctx
        self._stage = stage
        self._connection = connection
        self._tools = tools
        self._catalogue = stage.catalogue
        self._told: dict[str, tuple[Any, ...]] = {}
        self.meta: dict[str, Any] = {SUBSCRIPTION_ID_META_KEY: ctx.request_id}

    @property
    def lasts(self) -> bool:
        """Whether anything may still be told."""
        return self._tools or bool(self._told)

    async def begin(self, task_ids: list[str]) -> None:
        """Acknowledge the caller's own tasks among `task_ids`, and tell how each stands."""
        records = await self._records([i for i in task_ids if is_task_id(i)])
        self._told = {record.task_id: () for record in records}
        told = {"taskIds": list(self._told)} if task_ids else {}
        honored = types.SubscriptionFilter.model_validate(
            {"toolsListChanged": self._tools or None, **told}
        )
        await self._send(
            types.SubscriptionsAcknowledgedNotification(
                params=types.SubscriptionsAcknowledgedNotificationParams(
                    notifications=honored, _meta=self.meta
                )
            )
        )
        await self._tell(records)

    async def look(self) -> None:
        """Tell what has changed since."""
        await self._tell(await self._records(list(self._told)))
        if self._tools and await self._stage.refresh() != self._catalogue:
            self._catalogue = self._stage.catalogue
            params = types.NotificationParams(_meta=self.meta)
            await self._send(types.ToolListChangedNotification(params=params))

    async def _records(self, task_ids: list[str]) -> list[TaskRecord]:
        if not task_ids:
            return []
        items = await self._connection.store.read_many([task_key(i) for i in task_ids])
        found = [visible(self._connection, item) for item in items.values()]
        return [record for record in found if record is not None]

    async def _tell(self, records: list[TaskRecord]) -> None:
        for record in records:
            state = (record.status, record.updated_ms, record.status_message, record.open_asks)
            if self._told.get(record.task_id) == state:
                continue
            self._told[record.task_id] = state
            view = await opened(self._connection, record)
            shown = detailed_task(view, self._connection.runner.now_ms())
            await self._send(TaskNotification(params={**shown, "_meta": self.meta}))
            if record.status.terminal:
                del self._told[record.task_id]

    async def _send(self, notification: Any) -> None:
        await self._ctx.session.send_notification(
            notification, related_request_id=self._ctx.request_id
        )
