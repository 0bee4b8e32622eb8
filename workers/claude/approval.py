"""Approval: a person sees a tool's call before it is made, and may change or refuse it.

Imported when somebody is asked: pydantic is a third of a worker's cold start.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, Field

from sqswarm.backends.redact import hide
from sqswarm.schemas.json import JsonObject, dumps
from sqswarm.workers.claude.tools import Tool, ToolCall, ToolError


class Approval(BaseModel):
    """What a person says of a call that waits for them."""

    decision: Literal["approve", "refuse"]
    arguments: dict[str, Any] | None = Field(
        default=None, description="Changed arguments; leave out to keep them."
    )
    reason: str | None = Field(default=None, description="Told to the model.")


async def approved(tool: Tool, tool_call: ToolCall) -> JsonObject:
    """Ask a person about a call, and return the arguments to make it with.

    The task waits without a worker. Raises ToolError, with the reason, where it is refused.
    """
    question = hide(f"May {tool.name} be called with {dumps(tool_call.arguments)}?")
    said: Approval = await tool_call.ctx.ask(tool.name, question, Approval)
    if said.decision == "refuse":
        message = f"a person refused this call: {said.reason or 'no reason was given'}"
        raise ToolError(message)
    if said.arguments is None:
        return tool_call.arguments
    tool.check(said.arguments)
    return said.arguments
