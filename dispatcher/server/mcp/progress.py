"""Progress: what a waiting client hears of its task meanwhile."""

from __future__ import annotations

from sqswarm.dispatcher.server.mcp.request_context import Context, raw_params
from sqswarm.schemas.task import TaskRecord


class Progress:
    """Tells one call's progress, where its client asked for it and the transport can carry it."""

    def __init__(self, context: Context, *, streams: bool) -> None:
        """Tell nothing yet; `streams` is whether anything can go before the result."""
        meta = raw_params(context).get("_meta") or {}
        self._token = meta.get("progressToken") if streams else None
        self._context = context
        self._told = -1.0

    async def tell(self, record: TaskRecord) -> None:
        """Tell how far the task is, if that is further than before (MCP: it only grows)."""
        if self._token is None or record.progress is None or record.progress <= self._told:
            return
        self._told = record.progress
        await self._context.session.send_progress_notification(
            self._token,
            record.progress,
            total=1.0,
            message=record.status_message,
            related_request_id=str(self._context.request_id),
        )
