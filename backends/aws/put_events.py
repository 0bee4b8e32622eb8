"""Put events: tell an event bus of EventBridge."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sqswarm.backends.aws.caller import AwsCaller
from sqswarm.backends.aws.chunks import chunks
from sqswarm.backends.ports.bus import BATCH_ENTRIES, Outgoing
from sqswarm.backends.runner import Runner
from sqswarm.schemas.errors import PublishFailed

SOURCE = "sqswarm"
_TRIES = 3
_FIRST_PAUSE_S = 0.1


async def put_events(
    caller: AwsCaller, runner: Runner, bus_arn: str, messages: Sequence[Outgoing]
) -> None:
    """Put events on a bus, ten a request (EventBridge API, PutEvents), a refused one again.

    Raises PublishFailed for those still refused.
    """
    for part in chunks(messages, BATCH_ENTRIES):
        await _put(caller, runner, bus_arn, list(part))


async def _put(caller: AwsCaller, runner: Runner, bus_arn: str, left: list[Outgoing]) -> None:
    pause_s = _FIRST_PAUSE_S
    for tries_left in range(_TRIES - 1, -1, -1):
        entries = [_entry(message, bus_arn) for message in left]
        answer = await caller.call("events", "put_events", Entries=entries)
        if not answer.get("FailedEntryCount"):
            return
        refused = [(m, e) for m, e in zip(left, answer["Entries"], strict=True) if "ErrorCode" in e]
        left = [message for message, _ in refused]
        if not tries_left:
            why = refused[0][1].get("ErrorMessage") or refused[0][1]["ErrorCode"]
            message = f"events refused {len(left)} of {len(entries)} events: {why}"
            raise PublishFailed(message, [one.id for one in left])
        await runner.sleep(pause_s)
        pause_s *= 2


def _entry(message: Outgoing, bus_arn: str) -> dict[str, Any]:
    return {
        "EventBusName": bus_arn,
        "Source": SOURCE,
        "DetailType": message.event_type or "",
        "Detail": message.body,
    }
