"""Timeline: what became of a task, as spans of time: values that are read, shown and drawn."""

from __future__ import annotations

from dataclasses import dataclass, field
from enum import StrEnum

from sqswarm.schemas.json import JsonObject
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.task import iso


class SpanKind(StrEnum):
    """What a span is."""

    QUEUE = "queue"
    """The task could run, and no worker had it: in its queue, or hidden between attempts."""
    ATTEMPT = "attempt"
    STEP = "step"
    TURN = "turn"
    """One call of a Claude agent's model."""
    UNDO = "undo"
    """What a step did was undone."""
    CHILD = "child"
    ASK = "ask"
    RECEIVE = "receive"
    """It waited for what is sent to it."""
    SLEEP = "sleep"
    EVENT = "event"
    """A task that the task's result, an event, has started."""


@dataclass(frozen=True, kw_only=True)
class Span:
    """One span of time. Times are Unix milliseconds; `ended_ms` None: it is not over.

    `outcome` is how it ended (an attempt's, a child's status, "answered"), `error` why on one line.
    `worker` and `request_id` say where an attempt ran, `version` which code of its agent, `by`
    who answered a question or sent a signal, `task_id` which task a child is. `children` lie within
    it. Of what is many, `left_out` says how many more there are, by kind.
    """

    kind: SpanKind
    name: str
    began_ms: int
    ended_ms: int | None
    outcome: str | None = None
    error: str | None = None
    worker: str | None = None
    request_id: str | None = None
    version: str | None = None
    by: str | None = None
    task_id: str | None = None
    children: tuple[Span, ...] = ()
    left_out: dict[str, int] = field(default_factory=dict)

    @property
    def duration_ms(self) -> int | None:
        """Return how long it took, None where it is not over. Clocks differ: it is 0 at least."""
        return None if self.ended_ms is None else max(0, self.ended_ms - self.began_ms)

    def to_json(self) -> JsonObject:
        """Return it as JSON; what is not known is left away."""
        shown: JsonObject = {
            "kind": self.kind.value,
            "name": self.name,
            "beganAt": iso(self.began_ms),
            "endedAt": None if self.ended_ms is None else iso(self.ended_ms),
            "durationMs": self.duration_ms,
            "outcome": self.outcome,
            "error": self.error,
            "worker": self.worker,
            "requestId": self.request_id,
            "version": self.version,
            "by": self.by,
            "taskId": self.task_id,
            "leftOut": self.left_out or None,
            "children": [child.to_json() for child in self.children] or None,
        }
        return {name: value for name, value in shown.items() if value is not None}


@dataclass(frozen=True, kw_only=True)
class Timeline:
    """A task from its creation to its end, or until now (`ended_ms` None: it has not ended).

    `spans` stand in the order of their begins: queue, attempt, what was waited for, queue, …
    `queue_ms`, `run_ms` and `wait_ms` add up to the task's own time, as far as its attempts are
    known: `left_out` says of how many there is nothing, and how many children are not shown.
    `redriven_from` and `redriven_as` are the tasks it was made of and run again as; what was
    `copied` from the former stands in that one's timeline. `published_by` are those
    whose results started it, `<agent>#<task id>` each; `published` are the tasks that its own
    result has started.
    """

    task_id: str
    agent: str
    status: Status
    error: str | None = None
    began_ms: int
    ended_ms: int | None
    queue_ms: int
    run_ms: int
    wait_ms: int
    spans: tuple[Span, ...]
    left_out: dict[str, int] = field(default_factory=dict)
    redriven_from: str | None = None
    redriven_as: str | None = None
    copied: JsonObject | None = None
    published_by: tuple[str, ...] = ()
    published: tuple[Span, ...] = ()

    @property
    def duration_ms(self) -> int | None:
        """Return how long the task took, None where it has not ended."""
        return None if self.ended_ms is None else max(0, self.ended_ms - self.began_ms)

    def to_json(self) -> JsonObject:
        """Return it as JSON; what is not known is left away."""
        shown: JsonObject = {
            "taskId": self.task_id,
            "agent": self.agent,
            "status": self.status.value,
            "error": self.error,
            "beganAt": iso(self.began_ms),
            "endedAt": None if self.ended_ms is None else iso(self.ended_ms),
            "durationMs": self.duration_ms,
            "queueMs": self.queue_ms,
            "runMs": self.run_ms,
            "waitMs": self.wait_ms,
            "redrivenFrom": self.redriven_from,
            "redrivenAs": self.redriven_as,
            "copied": self.copied,
            "publishedBy": [*self.published_by] or None,
            "published": [span.to_json() for span in self.published] or None,
            "leftOut": self.left_out or None,
            "spans": [span.to_json() for span in self.spans],
        }
        return {name: value for name, value in shown.items() if value is not None}


_COPIED = {
    "steps": "step",
    "turns": "turn",
    "children": "child",
    "answers": "answer",
    "sleeps": "sleep",
}


def copied_text(copied: JsonObject) -> str:
    """Return what a redriven task was given of the other's: `39 turns, 2 children ($0.1200)`."""
    told = ", ".join(
        f"{copied[many]:,} {one if copied[many] == 1 else many}"
        for many, one in _COPIED.items()
        if copied.get(many)
    )
    return f"{told} (${copied['usd']:.4f})" if "usd" in copied else told
