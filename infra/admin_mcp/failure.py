"""Failure: every error reaches the model as a sentence that says what is wrong, and what to do."""

from __future__ import annotations

import functools
import inspect
import json
from collections.abc import Callable
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError, ParamValidationError
from mcp.server.mcpserver.exceptions import ToolError
from pydantic import ValidationError

from sqswarm.backends.aws.caller import error_code, translated
from sqswarm.schemas.errors import SwarmError, UsageError
from sqswarm.schemas.json import JsonObject


class UnknownFunction(UsageError):
    """No Lambda function has this name in this account and region."""

    hint = "Find the exact name with list-functions; names are case-sensitive."


class FunctionBusy(SwarmError):
    """The function is being created or updated by somebody else."""

    hint = "Wait a minute, look with get-function, and call again once its state is Active."


_INPUT_SHOWN = 80

_ADVICE = {
    "TooManyRequestsException": "Lambda throttles this account: wait some seconds, call again.",
    "ThrottlingException": "AWS throttles this account: wait some seconds, then call again.",
    "ResourceConflictException": "An update of this function is under way: wait, then call again.",
    "ResourceNotReadyException": "The function is starting up: wait some seconds, call again.",
    "PreconditionFailedException": "Somebody else changed it meanwhile: look with get-function.",
    "InvalidParameterValueException": "Correct the value that the message names.",
    "ValidationException": "Correct the value that the message names.",
    "RequestEntityTooLargeException": "Send a smaller payload (Lambda takes up to 6 MB).",
}


def with_fix(tool: Callable[..., Any]) -> Callable[..., Any]:
    """Wrap a tool so that what it raises becomes a tool error with a `fix:` line.

    What nobody foresaw passes through: the SDK keeps its text from the client and logs it.
    """
    if inspect.iscoroutinefunction(tool):

        @functools.wraps(tool)
        async def awaited(*args: Any, **kwargs: Any) -> Any:
            try:
                return await tool(*args, **kwargs)
            except (SwarmError, ClientError, BotoCoreError) as error:
                raise _tool_error(error) from error

        return awaited

    @functools.wraps(tool)
    def called(*args: Any, **kwargs: Any) -> Any:
        try:
            return tool(*args, **kwargs)
        except (SwarmError, ClientError, BotoCoreError) as error:
            raise _tool_error(error) from error

    return called


def _tool_error(error: Exception) -> ToolError:
    known = translated(error, "AWS")
    if isinstance(known, SwarmError):
        return ToolError(f"{type(known).__name__}: {known}\n  fix: {known.hint}")
    if isinstance(known, ClientError):
        code = error_code(known)
        advice = _ADVICE.get(code, "AWS refused the request: see its message above.")
        return ToolError(f"{code}: {known}\n  fix: {advice}")
    if isinstance(known, ParamValidationError):
        return ToolError(f"{known}\n  fix: Correct the argument that the message names.")
    return ToolError(f"{type(known).__name__}: {known}\n  fix: Check the server's AWS set-up.")


def invalid_arguments(tool: str, schema: JsonObject, error: ValidationError) -> ToolError:
    """Return what is wrong with a call's arguments: each field, why, and a call that fits."""
    properties: JsonObject = schema["properties"]
    first: dict[str, str] = {}
    for one in error.errors(include_url=False):
        place, *inner = one["loc"]
        name = str(place)
        if one["type"] == "missing" and not inner:
            reason = f"`{name}` is missing"
        elif one["type"] == "extra_forbidden":
            reason = f"there is no argument `{name}`; possible are {', '.join(properties)}"
        else:
            given = json.dumps(one["input"], ensure_ascii=False, default=repr)[:_INPUT_SHOWN]
            reason = f"`{name}` is {given}: {one['msg'][:1].lower()}{one['msg'][1:]}"
        first.setdefault(name, reason)
    named = [*schema.get("required", []), *(name for name in first if name in properties)]
    example = {name: _example(name, properties[name]) for name in named}
    text = json.dumps(example, ensure_ascii=False)
    return ToolError(
        f"InvalidArguments: {'; '.join(first.values())}\n  fix: Call {tool} with, say, {text}."
    )


def _example(name: str, schema: JsonObject) -> Any:
    """Return a value that fits the schema of one argument."""
    if schema.get("default") is not None:
        return schema["default"]
    for key in ("examples", "enum", "anyOf"):
        if key in schema:
            return _example(name, schema["anyOf"][0]) if key == "anyOf" else schema[key][0]
    kinds: JsonObject = {"integer": schema.get("minimum", 1), "boolean": True, "object": {}}
    return kinds.get(schema.get("type", ""), [] if schema.get("type") == "array" else f"<{name}>")
