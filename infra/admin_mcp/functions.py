"""Functions: the account's Lambda functions, page by page and one by one."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import Field

from sqswarm.backends.aws.caller import error_code
from sqswarm.infra.admin_mcp.context import AdminContext
from sqswarm.infra.admin_mcp.failure import UnknownFunction
from sqswarm.infra.admin_mcp.shape import Shape
from sqswarm.infra.admin_mcp.tools import OperationTool
from sqswarm.schemas.errors import UsageError
from sqswarm.schemas.json import dumps, loads

_AWS_PAGE = 50
"""Source: Lambda API, ListFunctions: MaxItems up to 50 takes effect."""

_CALLS_LIMIT = 40
"""Requests of one page: where few functions fit the filters, the next call goes on."""

FunctionName = Annotated[
    str, Field(description="A function's name or ARN, from list-functions.", min_length=1)
]


class FunctionSummary(Shape):
    """One function, briefly."""

    function_name: str
    runtime: str | None = Field(description="Null for container images.")
    package_type: str
    memory_mb: int
    timeout_seconds: int
    last_modified: str
    description: str


class Functions(Shape):
    """One page of functions."""

    functions: list[FunctionSummary]
    next_cursor: str | None = Field(
        description="Pass it as cursor for the next page; null on the last one. A page may hold "
        "fewer functions than asked for, even none, and still have a next."
    )


class EventSource(Shape):
    """Something that calls the function by an event source mapping."""

    source: str | None
    state: str
    batch_size: int | None


class Function(FunctionSummary):
    """One function in full. Values of environment variables are never shown."""

    arn: str
    role: str
    handler: str | None
    architectures: list[str]
    state: str | None
    state_reason: str | None
    last_update_status: str | None
    last_update_reason: str | None
    code_bytes: int
    code_sha256: str
    environment_names: list[str] = Field(description="Names only: values may be secrets.")
    layers: list[str]
    reserved_concurrency: int | None
    ephemeral_storage_mb: int | None
    dead_letter_target: str | None
    log_group: str | None
    in_vpc: bool
    tags: dict[str, str]
    event_sources: list[EventSource]


def tools(context: AdminContext) -> Iterator[OperationTool]:
    """Yield the tools of this group."""

    def list_functions(
        prefix: Annotated[
            str | None, Field(description="Only names that start so, such as `sqswarm-dev-`.")
        ] = None,
        runtime: Annotated[
            str | None, Field(description="Only this runtime, such as `python3.11`.")
        ] = None,
        page_size: Annotated[int, Field(ge=1, le=50)] = 25,
        cursor: Annotated[
            str | None, Field(description="nextCursor of the page before, with the same filters.")
        ] = None,
    ) -> Functions:
        """List the Lambda functions of the account and region, page by page, by name and runtime.

        Use it to find a function's exact name. Go on with nextCursor until it is null: filters
        are applied after AWS's own paging. For runtimes that need an upgrade get-runtime-info is
        shorter. Changes nothing; one Lambda request per 50 functions looked at.
        """
        found, following = _page(
            context.client("lambda"), prefix, runtime, page_size, _position(cursor)
        )
        return Functions(
            functions=[FunctionSummary.model_validate(summary(one)) for one in found],
            next_cursor=following,
        )

    def get_function(function_name: FunctionName) -> Function:
        """Show one Lambda function: runtime, state, limits, role, layers, tags, event sources.

        Environment variables are listed by name only, and the code is not fetched. Changes
        nothing; two Lambda requests.
        """
        client = context.client("lambda")
        answer = described(client, function_name)
        mappings = client.list_event_source_mappings(FunctionName=function_name)
        return Function.model_validate(
            {**_details(answer), "event_sources": [
                {
                    "source": one.get("EventSourceArn"),
                    "state": one.get("State", ""),
                    "batch_size": one.get("BatchSize"),
                }
                for one in mappings["EventSourceMappings"]
            ]}
        )  # fmt: skip

    yield OperationTool(
        name="list-functions", title="List Lambda functions", function=list_functions
    )
    yield OperationTool(name="get-function", title="Show a Lambda function", function=get_function)


def described(client: Any, function_name: str) -> dict[str, Any]:
    """Return GetFunction's answer; raises UnknownFunction."""
    try:
        answer: dict[str, Any] = client.get_function(FunctionName=function_name)
    except client.exceptions.ResourceNotFoundException as error:
        message = f"there is no function {function_name!r} in this account and region"
        raise UnknownFunction(message) from error
    except client.exceptions.ClientError as error:
        if error_code(error) == "ValidationException":
            message = f"{function_name!r} is no function name"
            raise UnknownFunction(message) from error
        raise
    return answer


def every_function(client: Any) -> Iterator[dict[str, Any]]:
    """Yield the configuration of every function, in AWS's order."""
    for page in client.get_paginator("list_functions").paginate():
        yield from page["Functions"]


def summary(one: dict[str, Any]) -> dict[str, Any]:
    """Return the fields of a FunctionSummary."""
    return {
        "function_name": one["FunctionName"],
        "runtime": one.get("Runtime"),
        "package_type": one.get("PackageType", "Zip"),
        "memory_mb": one["MemorySize"],
        "timeout_seconds": one["Timeout"],
        "last_modified": one["LastModified"],
        "description": one.get("Description", ""),
    }


def _details(answer: dict[str, Any]) -> dict[str, Any]:
    one = answer["Configuration"]
    return {
        **summary(one),
        "arn": one["FunctionArn"],
        "role": one["Role"],
        "handler": one.get("Handler"),
        "architectures": one.get("Architectures", []),
        "state": one.get("State"),
        "state_reason": one.get("StateReason"),
        "last_update_status": one.get("LastUpdateStatus"),
        "last_update_reason": one.get("LastUpdateStatusReason"),
        "code_bytes": one["CodeSize"],
        "code_sha256": one["CodeSha256"],
        "environment_names": sorted(one.get("Environment", {}).get("Variables", {})),
        "layers": [layer["Arn"] for layer in one.get("Layers", [])],
        "reserved_concurrency": answer.get("Concurrency", {}).get("ReservedConcurrentExecutions"),
        "ephemeral_storage_mb": one.get("EphemeralStorage", {}).get("Size"),
        "dead_letter_target": one.get("DeadLetterConfig", {}).get("TargetArn"),
        "log_group": one.get("LoggingConfig", {}).get("LogGroup"),
        "in_vpc": bool(one.get("VpcConfig", {}).get("VpcId")),
        "tags": answer.get("Tags", {}),
    }


def _page(
    client: Any,
    prefix: str | None,
    runtime: str | None,
    page_size: int,
    position: tuple[str | None, int],
) -> tuple[list[dict[str, Any]], str | None]:
    """Return one page's functions, and the cursor of what follows."""
    marker, skip = position
    filtered = prefix is not None or runtime is not None
    items = _AWS_PAGE if filtered else page_size
    found: list[dict[str, Any]] = []
    for _ in range(_CALLS_LIMIT):
        options = {"Marker": marker} if marker else {}
        answer = client.list_functions(MaxItems=items, **options)
        functions = answer["Functions"]
        for number, one in enumerate(functions[skip:], start=skip):
            if len(found) == page_size:
                return found, _cursor(marker, number)
            if one["FunctionName"].startswith(prefix or "") and runtime in {
                None,
                one.get("Runtime"),
            }:
                found.append(one)
        marker, skip = answer.get("NextMarker"), 0
        if marker is None:
            return found, None
        if len(found) == page_size:
            break
    return found, _cursor(marker, 0)


def _cursor(marker: str | None, skip: int) -> str:
    return base64.urlsafe_b64encode(dumps([marker, skip]).encode()).decode()


def _position(cursor: str | None) -> tuple[str | None, int]:
    """Return AWS's marker, and how many of its page are already listed."""
    if cursor is None:
        return None, 0
    try:
        marker, skip = loads(base64.urlsafe_b64decode(cursor))
    except (binascii.Error, ValueError, TypeError) as error:
        message = f"{cursor[:40]!r} is not a cursor of this tool"
        raise UsageError(message, hint="Pass nextCursor unchanged, or none to start.") from error
    if not isinstance(skip, int) or not isinstance(marker, str | None):
        message = f"{cursor[:40]!r} is not a cursor of this tool"
        raise UsageError(message, hint="Pass nextCursor unchanged, or none to start.")
    return marker, skip
