"""Extension: the client extension, through which `call_tool` waits for tasks as for any result."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from mcp import MCPError
from mcp.client.context import ClientRequestContext
from mcp.client.extension import ClaimContext, ClientExtension, ResultClaim
from mcp_types import CallToolResult, ElicitRequest, ErrorData

from sqswarm.dispatcher.mcp_client.handle import CATCHING, TaskHandle
from sqswarm.dispatcher.mcp_client.wire import IDENTIFIER, CreatedTask, TaskState
from sqswarm.schemas.errors import InputRequired, TaskFailed
from sqswarm.schemas.lifecycle import Status


class Tasks(ClientExtension):
    """Says that this client can follow tasks, and follows them."""

    identifier = IDENTIFIER

    def claims(self) -> Sequence[ResultClaim[Any]]:
        """Claim results of type `task`."""
        return [ResultClaim(result_type="task", model=CreatedTask, resolve=_resolve)]


def tasks() -> ClientExtension:
    """Return the extension to hand to `mcp.Client(..., extensions=[tasks()])`.

    With it `client.call_tool` polls a task to its end, and answers its questions through the
    client's own callbacks; `submit` gives the handle instead.
    """
    return Tasks()


async def _resolve(created: CreatedTask, context: ClaimContext) -> CallToolResult:
    caught = CATCHING.get()
    if caught is not None:
        caught.append(created)
        # Nobody sees this one: as an error it is spared the check against the output schema.
        return CallToolResult(content=[], is_error=True)
    handle = TaskHandle(context.session, created.task_id, poll_ms=created.poll_interval_ms)
    while True:
        state = await handle.wait()
        if state is not None and state.status is Status.INPUT_REQUIRED:
            await _answer(handle, state, context)
            continue
        try:
            return await handle.result()
        except TaskFailed as failed:
            error = failed.error
            raise MCPError(
                code=int(error.get("code", -32603)),
                message=str(error.get("message", failed)),
                data=error.get("data"),
            ) from failed


async def _answer(handle: TaskHandle, state: TaskState, context: ClaimContext) -> None:
    """Put a task's questions to the client's callbacks and send back what they say."""
    responses = {}
    for key, wanted in (state.input_requests or {}).items():
        if wanted.get("method") != "elicitation/create":
            message = f"task {handle.id} asks for {wanted.get('method')!r}, which is not supported"
            raise InputRequired(message, hint="Use submit() and task.respond(...).")
        request = ElicitRequest.model_validate(wanted)
        answer = await context.session.dispatch_input_request(
            ClientRequestContext(session=context.session, request_id=key, meta=None), request
        )
        if isinstance(answer, ErrorData):
            message = (
                f"task {handle.id} asks {key!r}, and this client cannot answer: {answer.message}"
            )
            raise InputRequired(
                message, hint="Give the client an elicitation_callback, or use submit()."
            )
        responses[key] = answer.model_dump(mode="json", by_alias=True, exclude_none=True)
    await handle.respond(responses)
