"""Runtime update: move a function to another runtime, try it, and move it back where it fails."""

from __future__ import annotations

import time
from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Annotated, Any, Literal

from pydantic import Field

from sqswarm.infra.admin_mcp.context import AdminContext
from sqswarm.infra.admin_mcp.failure import FunctionBusy
from sqswarm.infra.admin_mcp.functions import FunctionName, described
from sqswarm.infra.admin_mcp.invoke import Invocation, invoked
from sqswarm.infra.admin_mcp.runtimes import RUNTIMES, language
from sqswarm.infra.admin_mcp.shape import RUNS_CODE, Shape
from sqswarm.infra.admin_mcp.tools import OperationTool
from sqswarm.schemas.errors import SwarmError, UsageError

_UPDATE_LIMIT_S = 300
_LOOK_EVERY_S = 0.5
_SHOWN = 10_000


class RuntimeUpdate(Shape):
    """What became of the update."""

    function_name: str
    outcome: Literal["updated", "rolled_back", "rollback_failed", "unchanged"]
    explanation: str
    runtime_before: str
    runtime_wanted: str
    runtime_now: str = Field(description="Read back from Lambda at the end.")
    test: Invocation | None = Field(description="The test event's run on the new runtime.")
    test_error: str | None = Field(description="Why there is no such run, or no update.")
    rollback_error: str | None = Field(description="Why the old runtime could not be put back.")


def tools(context: AdminContext) -> Iterator[OperationTool]:
    """Yield the tools of this group."""

    def update_function_runtime(
        *,
        function_name: FunctionName,
        runtime: Annotated[str, Field(description="Such as `python3.13`: see get-runtime-info.")],
        test_event: Annotated[
            Any,
            Field(description="An event that the function handles without an error. It is run for "
                  "real, after the update."),
        ],
        accept_no_rollback: Annotated[
            bool,
            Field(description="Go on although AWS no longer allows the present runtime to be set, "
                  "so that there is no way back."),
        ] = False,
    ) -> RuntimeUpdate:  # fmt: skip
        """Move a Lambda function to another runtime, test it, and roll back by itself if it fails.

        Checks the runtime (known, supported, same language), updates the function, waits until
        Lambda has finished, and invokes it once with test_event. Where the update or that run
        fails, the runtime before is put back and both are reported. Live traffic meets the new
        runtime meanwhile; dependencies with compiled parts may need a new build. Read outcome:
        a rollback is no error of this tool. Takes seconds to minutes; costs one invocation.
        """
        today = datetime.now(UTC).date()
        client = context.client("lambda")
        before = described(client, function_name)["Configuration"]
        _check(before, runtime, today, accept_no_rollback=accept_no_rollback)
        old = str(before["Runtime"])
        facts: dict[str, Any] = {
            "function_name": function_name, "runtime_before": old, "runtime_wanted": runtime,
            "test": None, "test_error": None, "rollback_error": None,
        }  # fmt: skip
        if old == runtime:
            return RuntimeUpdate.model_validate({
                **facts, "outcome": "unchanged", "runtime_now": old,
                "explanation": f"It runs on {runtime} already; nothing was changed or run.",
            })  # fmt: skip
        # Refused where somebody has changed the function since it was read.
        client.update_function_configuration(
            FunctionName=function_name, Runtime=runtime, RevisionId=before["RevisionId"]
        )
        test, trouble = _tried(context, client, function_name, test_event)
        facts |= {"test": test, "test_error": trouble}
        if trouble is None and test is not None and test.succeeded:
            return RuntimeUpdate.model_validate({
                **facts, "outcome": "updated", "runtime_now": _runtime(client, function_name),
                "explanation": f"Updated from {old} to {runtime}; the test event succeeded.",
            })  # fmt: skip
        failed = trouble or "the test event failed on the new runtime"
        rollback_error = _rolled_back(client, function_name, old)
        now = _runtime(client, function_name)
        back = rollback_error is None and now == old
        explanation = (
            f"{failed}; {old} was put back."
            if back
            else f"{failed}, and {old} could NOT be put back: the function is on {now}. Tell the "
            "user at once."
        )
        return RuntimeUpdate.model_validate({
            **facts, "outcome": "rolled_back" if back else "rollback_failed",
            "runtime_now": now, "rollback_error": rollback_error, "explanation": explanation,
        })  # fmt: skip

    yield OperationTool(
        name="update-function-runtime",
        title="Move a Lambda function to another runtime",
        function=update_function_runtime,
        annotations=RUNS_CODE,
    )


def _check(before: dict[str, Any], runtime: str, today: date, *, accept_no_rollback: bool) -> None:
    """Raise where the update cannot work, or could not be taken back."""
    name, old = before["FunctionName"], before.get("Runtime")
    if old is None:
        message = f"{name} is a container image: its runtime is in the image"
        raise UsageError(message, hint="Build a new image on a newer base and deploy that.")
    wanted = RUNTIMES.get(runtime)
    settable = [one.name for one in RUNTIMES.values()
                if one.language == language(old) and one.supported(today)]  # fmt: skip
    if wanted is None:
        message = f"{runtime!r} is no Lambda runtime that this server knows"
        raise UsageError(message, hint=f"Choose one of {', '.join(settable)}.")
    if not wanted.supported(today):
        message = f"AWS supports {runtime} no more (since {wanted.deprecated})"
        raise UsageError(message, hint=f"Choose one of {', '.join(settable)}.")
    if wanted.language != language(old):
        message = f"{name} is written for {old}; {runtime} cannot run it"
        raise UsageError(message, hint=f"Choose one of {', '.join(settable)}.")
    known = RUNTIMES.get(old)
    if known and not known.may_be_set(today) and not accept_no_rollback:
        message = f"AWS no longer lets {old} be set, so a failed update could not be taken back"
        raise UsageError(
            message, hint="Test a copy of the function first, then pass accept_no_rollback=true."
        )
    if before.get("State") == "Pending" or before.get("LastUpdateStatus") == "InProgress":
        message = f"{name} is being created or updated"
        raise FunctionBusy(message)


def _tried(
    context: AdminContext, client: Any, function_name: str, event: Any
) -> tuple[Invocation | None, str | None]:
    """Wait for the update and run the test event; return the run, or what went wrong.

    Whatever goes wrong is returned, not raised: the way back comes after it.
    """
    try:
        _finished(client, function_name)
        return invoked(context, function_name, event, max_characters=_SHOWN), None
    except Exception as error:
        return None, f"{type(error).__name__}: {error}"


def _rolled_back(client: Any, function_name: str, runtime: str) -> str | None:
    """Put the runtime back; return why that failed, None where it did not."""
    try:
        _settled(client, function_name)
        client.update_function_configuration(FunctionName=function_name, Runtime=runtime)
        _finished(client, function_name)
    except Exception as error:
        return f"{type(error).__name__}: {error}"
    return None


def _finished(client: Any, function_name: str) -> None:
    """Wait until an update has succeeded; raises SwarmError where it failed or takes too long."""
    answer = _settled(client, function_name)
    if answer.get("LastUpdateStatus") == "Failed":
        message = f"Lambda could not update it: {answer.get('LastUpdateStatusReason', 'no reason')}"
        raise SwarmError(message, hint="See get-function.")


def _settled(client: Any, function_name: str) -> dict[str, Any]:
    """Wait until no update is under way, and return the configuration."""
    ends = time.monotonic() + _UPDATE_LIMIT_S
    while True:
        answer: dict[str, Any] = client.get_function_configuration(FunctionName=function_name)
        if answer.get("LastUpdateStatus") != "InProgress":
            return answer
        if time.monotonic() > ends:
            message = f"the update of {function_name} has not finished after {_UPDATE_LIMIT_S} s"
            raise FunctionBusy(message)
        time.sleep(_LOOK_EVERY_S)


def _runtime(client: Any, function_name: str) -> str:
    return str(client.get_function_configuration(FunctionName=function_name)["Runtime"])
