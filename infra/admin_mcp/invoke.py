"""Invoke: run a Lambda function once and tell what came of it."""

from __future__ import annotations

import base64
import time
from collections.abc import Iterator
from typing import Annotated, Any

from botocore.exceptions import ReadTimeoutError
from pydantic import Field

from sqswarm.infra.admin_mcp.connect import client_without_retries
from sqswarm.infra.admin_mcp.context import AdminContext
from sqswarm.infra.admin_mcp.failure import UnknownFunction
from sqswarm.infra.admin_mcp.functions import FunctionName, described
from sqswarm.infra.admin_mcp.shape import RUNS_CODE, Shape
from sqswarm.infra.admin_mcp.text import cut_text
from sqswarm.infra.admin_mcp.tools import OperationTool
from sqswarm.schemas.errors import PayloadTooLarge, TimedOut
from sqswarm.schemas.json import dumps, size_bytes

PAYLOAD_LIMIT_BYTES = 6 * 1024 * 1024
"""Source: Lambda quotas, "Invocation payload (request and response)": 6 MB synchronous."""

_SHOWN_LIMIT = 100_000
_SLACK_S = 15


class Invocation(Shape):
    """What one call of a function came to."""

    function_name: str
    succeeded: bool = Field(description="False where the function's code raised or timed out.")
    status_code: int
    function_error: str | None = Field(description="`Unhandled` where its code failed.")
    executed_version: str | None
    payload_json: str = Field(description="What it returned, as JSON text; its error if it failed.")
    payload_bytes: int
    payload_cut: bool = Field(description="True where payloadJson was cut off.")
    log_tail: str = Field(description="The last 4 KB of its log.")
    seconds: float = Field(description="As seen from here, with the network.")


def tools(context: AdminContext) -> Iterator[OperationTool]:
    """Yield the tools of this group."""

    def invoke_function(
        function_name: FunctionName,
        payload: Annotated[Any, Field(description="The event: any JSON, up to 6 MB.")] = None,
        qualifier: Annotated[
            str | None, Field(description="A version or alias; else $LATEST.")
        ] = None,
        max_result_characters: Annotated[int, Field(ge=100, le=_SHOWN_LIMIT)] = 20_000,
    ) -> Invocation:
        """Run a Lambda function once, wait for it, and return its result and log tail.

        The function's code runs with whatever effects its role allows (writes, e-mails, costs);
        call it only when the user wants that. It runs once: a call that gets no answer is not
        repeated, and may still have run. A function that fails is no error of this tool: see
        succeeded. Do not invoke a swarm's own agents with it: use submit-task.
        """
        return invoked(
            context,
            function_name,
            payload,
            qualifier=qualifier,
            max_characters=max_result_characters,
        )

    yield OperationTool(
        name="invoke-function",
        title="Run a Lambda function",
        function=invoke_function,
        annotations=RUNS_CODE,
    )


def invoked(
    context: AdminContext,
    function_name: str,
    payload: Any,
    *,
    qualifier: str | None = None,
    max_characters: int,
) -> Invocation:
    """Invoke a function synchronously, once, and return what came of it.

    Raises UnknownFunction, PayloadTooLarge, and TimedOut where no answer came in the function's
    own time.
    """
    text = dumps(payload)
    if size_bytes(text) > PAYLOAD_LIMIT_BYTES:
        message = f"the payload has {size_bytes(text):,} bytes; Lambda takes 6 MB"
        raise PayloadTooLarge(message, hint="Put the data in S3 and pass its address.")
    timeout_s = described(context.client("lambda"), function_name)["Configuration"]["Timeout"]
    once = client_without_retries(context.settings, timeout_s=timeout_s + _SLACK_S)
    started = time.monotonic()
    options = {} if qualifier is None else {"Qualifier": qualifier}
    try:
        answer = once.invoke(
            FunctionName=function_name,
            Payload=text.encode(),
            LogType="Tail",
            InvocationType="RequestResponse",
            **options,
        )
        raw = answer["Payload"].read().decode(errors="replace")
    except once.exceptions.ResourceNotFoundException as error:
        message = f"function {function_name!r} has no version or alias {qualifier!r}"
        raise UnknownFunction(message, hint="Leave the qualifier out, or correct it.") from error
    except ReadTimeoutError as error:
        message = f"no answer from {function_name!r} after {timeout_s + _SLACK_S} s"
        raise TimedOut(
            message, hint="It may have run all the same: read its log before you call again."
        ) from error
    payload_json, was_cut = cut_text(raw, max_characters)
    return Invocation(
        function_name=function_name,
        succeeded="FunctionError" not in answer,
        status_code=answer["StatusCode"],
        function_error=answer.get("FunctionError"),
        executed_version=answer.get("ExecutedVersion"),
        payload_json=payload_json,
        payload_bytes=size_bytes(raw),
        payload_cut=was_cut,
        log_tail=base64.b64decode(answer.get("LogResult", "")).decode(errors="replace"),
        seconds=round(time.monotonic() - started, 3),
    )
