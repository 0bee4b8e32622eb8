"""TaskContext: what an agent may know and do about the task it runs."""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field

from workers.log import Log

Report = Callable[[float, str | None], Awaitable[None]]
"""Records progress (0 to 1) and a message; raises LeaseLost where the task is another's."""


@dataclass(frozen=True, kw_only=True)
class TaskContext:
    """The task an agent runs, handed to its `ctx` parameter."""

    task_id: str
    attempt: int
    principal: str
    log: Log
    session_id: str | None = None
    parent: str | None = None
    deadline_s: float = field(repr=False)
    report: Report | None = field(default=None, repr=False)

    def remaining_seconds(self) -> float:
        """Return how many seconds this attempt still has; 0 when it is over."""
        return max(0.0, self.deadline_s - time.monotonic())

    async def progress(self, fraction: float, message: str | None = None) -> None:
        """Show how far the task is: `fraction` 0 to 1, `message` as MCP's statusMessage.

        One table write a call. Raises ValueError outside 0 to 1, LeaseLost where another worker
        holds the task by now.
        """
        if not 0 <= fraction <= 1:
            message = f"progress is {fraction}; 0 to 1 is possible"
            raise ValueError(message)
        if self.report is not None:
            await self.report(fraction, message)
