"""Log events: what a stage's functions print, as CloudWatch Logs has it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

_LATE_MS = 5_000
"""Lines may become visible some seconds after their time: a follower looks back so far."""


@dataclass(frozen=True, kw_only=True)
class LogEvent:
    """One line of one function's."""

    group: str
    stream: str
    at_ms: int
    message: str


@dataclass(kw_only=True)
class LogFollower:
    """Reads groups again and again; each line is given once, the oldest of a reading first."""

    client: Any
    start_ms: int = field(default_factory=lambda: int(1000 * time.time()))
    _seen: dict[tuple[str, int, str], None] = field(default_factory=dict, init=False)

    def read(self, groups: Sequence[str]) -> Iterator[LogEvent]:
        """Yield what is new in the groups; raises ResourceNotFoundException for one that is not."""
        found = [event for group in groups for event in self._events(group)]
        for event in sorted(found, key=lambda one: one.at_ms):
            # Not by its id: ministack gives none.
            line = (event.stream, event.at_ms, event.message)
            if line in self._seen:
                continue
            self._seen[line] = None
            self.start_ms = max(self.start_ms, event.at_ms - _LATE_MS)
            yield event
        old = [line for line in self._seen if line[1] < self.start_ms]
        for line in old:  # no reading gives them again
            del self._seen[line]

    def _events(self, group: str) -> Iterator[LogEvent]:
        pages = self.client.get_paginator("filter_log_events").paginate(
            logGroupName=group, startTime=self.start_ms
        )
        for page in pages:
            for event in page["events"]:
                yield LogEvent(
                    group=group,
                    stream=event["logStreamName"],
                    at_ms=int(event["timestamp"]),
                    message=event["message"],
                )


def log_groups(client: Any, prefix: str) -> list[str]:
    """Return the names of the groups that begin with `prefix`."""
    pages = client.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix)
    return [group["logGroupName"] for page in pages for group in page["logGroups"]]
