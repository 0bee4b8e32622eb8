"""The story of a release, from what its workers logged and what is recorded: who did what, once."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqswarm.schemas.json import loads
from sqswarm.schemas.naming import Names

_LOOKS = 15


@dataclass(frozen=True, kw_only=True)
class Line:
    """One thing that a worker logged of a task. `at` is UTC; `run` names the worker's process."""

    at: datetime
    event: str
    what: str
    run: str

    @property
    def is_step(self) -> bool:
        """Return whether a step was done here, not replayed."""
        return self.event == "step.recorded"


def story(clients: Callable[[str], Any], names: Names, *, agent: str, task_id: str) -> list[Line]:
    """Return what an agent's workers logged of one task, oldest first."""
    return sorted(_lines(clients("logs"), names, agent, task_id), key=lambda line: line.at)


def whole_story(
    clients: Callable[[str], Any], names: Names, agent: str, task_id: str, *, steps: int
) -> list[Line]:
    """Return a task's story once all of its steps are in it: logs come some seconds late."""
    for _ in range(_LOOKS):
        lines = story(clients, names, agent=agent, task_id=task_id)
        if len(steps_done(lines)) >= steps:
            break
        time.sleep(1)
    return lines


def steps_done(lines: list[Line]) -> Counter[str]:
    """Return how often each step was done: once, whoever died meanwhile."""
    return Counter(line.what for line in lines if line.is_step)


def _lines(logs: Any, names: Names, agent: str, task_id: str) -> Iterator[Line]:
    pages = logs.get_paginator("filter_log_events").paginate(
        logGroupName=f"/aws/lambda/{names.function(agent)}"
    )
    for page in pages:
        for event in page["events"]:
            said = _said(event["message"])
            if said.get("task_id") == task_id:
                yield Line(
                    at=datetime.fromtimestamp(event["timestamp"] / 1000, UTC),
                    event=said["event"],
                    what=_what(said),
                    run=event["logStreamName"][-6:],
                )


def _what(said: dict[str, Any]) -> str:
    if said["event"] == "task.suspended":
        if said.get("children"):
            return f"waits for {said['children']} children"
        return "waits for a person" if said.get("asks") else "sleeps"
    return str(said.get("step", "")).removesuffix("#0")


def _said(message: str) -> dict[str, Any]:
    try:
        said = loads(message)
    except ValueError:  # Lambda's own lines
        return {}
    return said if isinstance(said, dict) and "event" in said else {}
