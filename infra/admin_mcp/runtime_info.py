"""Runtime info: which functions run on what AWS stops supporting, and when."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from typing import Annotated, Literal

from pydantic import Field

from sqswarm.infra.admin_mcp.context import AdminContext
from sqswarm.infra.admin_mcp.functions import described, every_function
from sqswarm.infra.admin_mcp.runtimes import RUNTIMES, SOURCE, TABLE_DATE, Runtime, successor
from sqswarm.infra.admin_mcp.shape import Shape
from sqswarm.infra.admin_mcp.tools import OperationTool

_SOON_DAYS = 180
Support = Literal["supported", "ends_soon", "deprecated", "unknown", "container_image"]


class RuntimeDates(Shape):
    """One runtime's dates."""

    runtime: str
    support: Support
    end_of_support: str = Field(description="From then on AWS patches it no more.")
    create_blocked_from: str | None = Field(description="No new functions from then on.")
    update_blocked_from: str | None = Field(description="No updates of functions from then on.")
    suggested: str | None = Field(description="The same language's runtime that lasts longest.")


class FunctionRuntime(Shape):
    """One function's runtime."""

    function_name: str
    runtime: str | None
    support: Support
    end_of_support: str | None
    days_left: int | None = Field(description="Negative once support has ended.")
    suggested: str | None


class RuntimeInfo(Shape):
    """Runtimes and the functions that use them."""

    table_date: str = Field(description="When the dates were last held against AWS's page.")
    source: str
    runtimes: list[RuntimeDates]
    functions: list[FunctionRuntime] = Field(description="What needs an upgrade most comes first.")
    counts: dict[str, int] = Field(description="Functions by support.")
    limited: bool = Field(description="True where functions were left out of the list.")


def tools(context: AdminContext) -> Iterator[OperationTool]:
    """Yield the tools of this group."""

    def get_runtime_info(
        *,
        function_name: Annotated[
            str | None, Field(description="One function; else all of the account and region.")
        ] = None,
        include_deprecated: Annotated[
            bool, Field(description="List runtimes that nobody can use any more, too.")
        ] = False,
        limit: Annotated[int, Field(ge=1, le=1000, description="Functions listed.")] = 100,
    ) -> RuntimeInfo:
        """Tell which Lambda runtimes are supported until when, and what each function runs on.

        Use it to plan upgrades: functions whose support ends first come first, each with a
        suggested runtime for update-function-runtime. Dates come from a table in this server
        (tableDate says how old it is), not from AWS's API, which has none. Changes nothing; one
        Lambda request per 50 functions.
        """
        today = datetime.now(UTC).date()
        client = context.client("lambda")
        configurations = (
            every_function(client)
            if function_name is None
            else [described(client, function_name)["Configuration"]]
        )
        functions = [_function(one["FunctionName"], one.get("Runtime"), today)
                     for one in configurations]  # fmt: skip
        functions.sort(key=lambda one: (one.end_of_support or "9999", one.function_name))
        counts: dict[str, int] = {}
        for one in functions:
            counts[one.support] = counts.get(one.support, 0) + 1
        return RuntimeInfo(
            table_date=TABLE_DATE.isoformat(),
            source=SOURCE,
            runtimes=[
                _dates(runtime, today)
                for runtime in RUNTIMES.values()
                if include_deprecated or runtime.may_be_set(today)
            ],
            functions=functions[:limit],
            counts=counts,
            limited=len(functions) > limit,
        )

    yield OperationTool(
        name="get-runtime-info", title="Lambda runtimes and their ends", function=get_runtime_info
    )


def support_of(runtime: str | None, today: date) -> Support:
    """Return whether AWS supports a runtime today."""
    if runtime is None:
        return "container_image"
    known = RUNTIMES.get(runtime)
    if known is None:
        return "unknown"
    if not known.supported(today):
        return "deprecated"
    return "ends_soon" if (known.deprecated - today).days <= _SOON_DAYS else "supported"


def _dates(runtime: Runtime, today: date) -> RuntimeDates:
    return RuntimeDates(
        runtime=runtime.name,
        support=support_of(runtime.name, today),
        end_of_support=runtime.deprecated.isoformat(),
        create_blocked_from=_iso(runtime.create_blocked),
        update_blocked_from=_iso(runtime.update_blocked),
        suggested=_suggested(runtime.name, today),
    )


def _function(name: str, runtime: str | None, today: date) -> FunctionRuntime:
    known = RUNTIMES.get(runtime or "")
    return FunctionRuntime(
        function_name=name,
        runtime=runtime,
        support=support_of(runtime, today),
        end_of_support=known.deprecated.isoformat() if known else None,
        days_left=(known.deprecated - today).days if known else None,
        suggested=_suggested(runtime, today) if runtime else None,
    )


def _suggested(runtime: str, today: date) -> str | None:
    better = successor(runtime, today)
    return None if better == runtime else better


def _iso(day: date | None) -> str | None:
    return None if day is None else day.isoformat()
