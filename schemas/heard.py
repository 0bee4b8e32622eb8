"""What middleware hears (sqswarm.dispatcher.middleware). Times are Unix milliseconds.

Nobody makes these where nothing is listening, nor imports them.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import ClassVar

from sqswarm.schemas.baggage import baggage_entries
from sqswarm.schemas.json import JsonObject
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.protocol import Paid
from sqswarm.schemas.task import TaskRecord


@dataclass(kw_only=True, eq=False)
class Submission:
    """A task, or an event, on its way out. `before_submit` may change what travels with it.

    `agent` is the topic's name where `event` is True. `arguments` are {} where they went to S3
    already. `baggage` is small text that goes along and
    on to the children of the task (W3C Baggage: whoever sent it said so, nobody has proved it).
    `error` is what kept it from being published.
    """

    task_id: str
    agent: str
    principal: str
    arguments: JsonObject
    event: bool = False
    redriven_from: str | None = None
    traceparent: str | None = None
    tracestate: str | None = None
    baggage: dict[str, str] = field(default_factory=dict)
    error: BaseException | None = None


@dataclass(kw_only=True, eq=False)
class Attempt:
    """One run of a task under a lease, numbered from 1. Times are Unix milliseconds.

    `ready_ms` is when it could have begun: its message was sent, or its sleep was over. A run
    ends (`ended_ms`) some time before what became of it is recorded (`recorded_ms`).
    `outcome` is what became of it, once that is recorded: `completed` or `failed` (the task's one
    result), `retried`, `suspended` (it waits for children, people or time), `parked` (its
    code does not fit its journal), `handed-back` (the worker was told to stop) or `lost` (another
    worker has it, or nothing could be recorded).
    `error_type` and `error` are what is recorded; `exception` is what the agent raised. `record` is
    the task's as the lease was taken, with its history; None where the attempt made it.
    """

    task_id: str
    agent: str
    principal: str
    number: int
    created_ms: int
    ready_ms: int
    began_ms: int
    ended_ms: int | None = None
    recorded_ms: int | None = None
    parent: str | None = None
    parent_agent: str | None = None
    topic: str | None = None
    session_id: str | None = None
    redriven_from: str | None = None
    traceparent: str | None = None
    tracestate: str | None = None
    baggage: dict[str, str] = field(default_factory=dict)
    outcome: str | None = None
    error_type: str | None = None
    error: str | None = None
    exception: BaseException | None = field(default=None, repr=False)
    record: TaskRecord | None = field(default=None, repr=False)

    @property
    def wait_ms(self) -> int:
        """Return how long it waited for a worker, since it could have begun."""
        return max(0, self.began_ms - self.ready_ms)

    @property
    def run_ms(self) -> int:
        """Return how long it ran; 0 before its end."""
        return 0 if self.ended_ms is None else max(0, self.ended_ms - self.began_ms)


@dataclass(kw_only=True, eq=False)
class Turn:
    """One paid call of a model. What it used and why it stopped is known after the step."""

    kind: ClassVar[str | None] = "turn"
    """What a timeline calls its step."""
    number: int
    provider: str
    model: str
    max_tokens: int
    server: str | None = None
    """The address of the API, where it is not the provider's own."""
    input_tokens: int = 0
    cache_write_tokens: int = 0
    cache_read_tokens: int = 0
    output_tokens: int = 0
    micro_usd: int = 0
    stop_reason: str | None = None
    response_id: str | None = None
    response_model: str | None = None

    @property
    def paid(self) -> Paid:
        """Return what it cost, as its step's record keeps it."""
        read = self.input_tokens + self.cache_write_tokens + self.cache_read_tokens
        return Paid(micro_usd=self.micro_usd, tokens=read + self.output_tokens)


@dataclass(kw_only=True, eq=False)
class ToolUse:
    """One call of a tool: a model's (`call_id` is its name for it), or an agent's `ctx.mcp`.

    `server` is the MCP server it is called at, where it is one's.
    """

    kind: ClassVar[str | None] = None
    paid: ClassVar[Paid | None] = None
    name: str
    call_id: str | None = None
    server: str | None = None


@dataclass(kw_only=True, eq=False)
class Step:
    """One run of a step, its retries within it; what is replayed is not run. Times as Attempt's.

    A model's turn and a tool's call are steps: `turn` or `tool` says more about it then.
    """

    task_id: str
    agent: str
    attempt: int
    name: str
    began_ms: int
    ended_ms: int | None = None
    tries: int = 1
    turn: Turn | None = None
    tool: ToolUse | None = None
    exception: BaseException | None = field(default=None, repr=False)


@dataclass(kw_only=True, eq=False)
class TaskEnd:
    """A task's end, told by whoever recorded it: a worker, a canceller or housekeeping.

    `attempt` is the last one's number, 0 where there was none. `lost` is True where that one's
    worker was lost: nobody else will tell of it. `record` is the task's, where it was at hand.
    Times as Attempt's.
    """

    task_id: str
    agent: str
    principal: str
    status: str
    attempt: int
    created_ms: int
    ended_ms: int
    error_type: str | None = None
    error: str | None = None
    lost: bool = False
    parent: str | None = None
    parent_agent: str | None = None
    topic: str | None = None
    redriven_from: str | None = None
    traceparent: str | None = None
    tracestate: str | None = None
    baggage: dict[str, str] = field(default_factory=dict)
    record: TaskRecord | None = field(default=None, repr=False)

    @classmethod
    def of_attempt(cls, attempt: Attempt) -> TaskEnd:
        """Return the end that an attempt's outcome is."""
        return cls(
            task_id=attempt.task_id,
            agent=attempt.agent,
            principal=attempt.principal,
            status=str(attempt.outcome),
            attempt=attempt.number,
            created_ms=attempt.created_ms,
            ended_ms=attempt.ended_ms or attempt.began_ms,
            error_type=attempt.error_type,
            error=attempt.error,
            parent=attempt.parent,
            parent_agent=attempt.parent_agent,
            topic=attempt.topic,
            redriven_from=attempt.redriven_from,
            traceparent=attempt.traceparent,
            tracestate=attempt.tracestate,
            baggage=attempt.baggage,
        )

    @classmethod
    def of_record(
        cls,
        record: TaskRecord,
        *,
        status: Status,
        now_ms: int,
        error: JsonObject | None = None,
        lost: bool = False,
    ) -> TaskEnd:
        """Return the end that was recorded of a task that no worker had in hand."""
        data = error and error.get("data")
        return cls(
            task_id=record.task_id,
            agent=record.agent,
            principal=record.principal,
            status=status.value,
            attempt=record.attempt,
            created_ms=record.created_ms,
            ended_ms=now_ms,
            error_type=data.get("type") if isinstance(data, dict) else None,
            error=error.get("message") if error else None,
            lost=lost,
            parent=record.parent and record.parent.partition("#")[0],
            parent_agent=record.parent_agent,
            topic=record.topic,
            redriven_from=record.redriven_from,
            traceparent=record.traceparent,
            tracestate=record.tracestate,
            baggage=baggage_entries(record.baggage),
            record=record,
        )


@dataclass(kw_only=True, eq=False)
class Batch:
    """What one call of a worker carried through: `messages` of one agent's queue.

    `left_s` is how long the function may still run, None in a process that goes on: a function is
    frozen after it, so whatever is to be sent has to be sent by then.
    """

    agent: str
    messages: int
    began_ms: int
    ended_ms: int
    attempts: list[Attempt]
    poisoned: int = 0
    left_s: float | None = None
