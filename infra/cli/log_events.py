"""What agents' functions have written to CloudWatch Logs: read for `logs` and `show`."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime
from typing import Any, NamedTuple

from sqswarm.schemas.errors import UnknownAgent
from sqswarm.schemas.metrics import tells_metrics


class LogLine(NamedTuple):
    """One line of a function's log; what it says of itself where it is one of ours."""

    at_ms: int
    text: str
    fields: dict[str, Any]


def group_prefix(stack: str) -> str:
    """Return what the names of a stage's log groups begin with; the agent's name follows."""
    return f"/aws/lambda/{stack}-"


def groups(client: Any, prefix: str) -> list[str]:
    """Return the names of the log groups that begin with `prefix`."""
    pages = client.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix)
    return [group["logGroupName"] for page in pages for group in page["logGroups"]]


def events(
    client: Any,
    group: str,
    start_ms: int,
    *,
    end_ms: int | None = None,
    containing: str | None = None,
) -> Iterator[dict[str, Any]]:
    """Yield a group's events from `start_ms` on, of lines with the text `containing`.

    The lines of which CloudWatch makes metrics are left out: nobody printed them to be read.
    Raises UnknownAgent where there is no such group.
    """
    request: dict[str, Any] = {"logGroupName": group, "startTime": start_ms}
    if end_ms is not None:
        request["endTime"] = end_ms
    if containing is not None:
        request["filterPattern"] = f'"{containing}"'
    try:
        for page in client.get_paginator("filter_log_events").paginate(**request):
            for event in page["events"]:
                said = event["message"]
                if (containing is None or containing in said) and not tells_metrics(said):
                    yield {**event, "group": group}
    except client.exceptions.ResourceNotFoundException as error:
        name = group.rpartition("-")[2]
        message = f"there is no log of {name!r}: no such agent is deployed"
        raise UnknownAgent(message) from error


def log_line(event: dict[str, Any]) -> LogLine:
    """Return what an event says, by its own time where it names one: events are written later."""
    text = event["message"].rstrip("\n")
    try:
        fields = json.loads(text)
        moment = datetime.fromisoformat(fields["timestamp"])
    except (ValueError, TypeError, KeyError):
        return LogLine(event["timestamp"], text, {})
    return LogLine(round(moment.timestamp() * 1000), text, fields)
