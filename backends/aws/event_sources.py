"""Event source mappings: what takes messages from an agent's queue to its function."""

from __future__ import annotations

from typing import Any

from botocore.exceptions import ClientError

from sqswarm.backends.aws.caller import AwsCaller, error_code
from sqswarm.backends.runner import Runner
from sqswarm.schemas.errors import NotDeployed, Unreachable
from sqswarm.schemas.naming import LIVE

_POLL_S = 0.5
_PATIENCE_S = 180.0
"""Enabling or disabling one takes AWS up to a minute."""


async def switch_event_source(
    caller: AwsCaller, runner: Runner, *, function: str, on: bool
) -> None:
    """Enable or disable the mapping of a function, and wait until it is; none is well too.

    Raises Unreachable where it does not come to rest in three minutes. Source: Lambda API,
    UpdateEventSourceMapping.
    """
    wanted = "Enabled" if on else "Disabled"
    ends = runner.monotonic() + _PATIENCE_S
    while waiting := [m for m in await _mappings(caller, function) if m["State"] != wanted]:
        for mapping in waiting:
            if not mapping["State"].endswith("ing"):
                await _update(caller, mapping["UUID"], on=on)
        if runner.monotonic() > ends:
            states = ", ".join(mapping["State"] for mapping in waiting)
            message = f"the event source of {function} is still {states}, not {wanted}"
            raise Unreachable(message, hint="Run it again in a minute: it goes on from here.")
        await runner.sleep(_POLL_S)


async def _mappings(caller: AwsCaller, function: str) -> list[dict[str, Any]]:
    for name in (function, f"{function}:{LIVE}"):  # where versions are kept, the alias has it
        try:
            found = await caller.call("lambda", "list_event_source_mappings", FunctionName=name)
        except NotDeployed:
            continue
        if living := [m for m in found["EventSourceMappings"] if m["State"] != "Deleting"]:
            return living
    return []


async def _update(caller: AwsCaller, mapping: str, *, on: bool) -> None:
    try:
        await caller.call("lambda", "update_event_source_mapping", UUID=mapping, Enabled=on)
    except ClientError as error:
        if error_code(error) not in {"ResourceInUseException", "ResourceConflictException"}:
            raise
