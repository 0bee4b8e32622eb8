"""The task record: what the table keeps of a task, and what a caller sees of it."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from dataclasses import field
from datetime import UTC, datetime
from typing import Any

from sqswarm.schemas.agent_spec import LEASE_MARGIN_S, Durability
from sqswarm.schemas.errors import PoisonMessage
from sqswarm.schemas.join import PART
from sqswarm.schemas.json import JsonObject, dumps, loads
from sqswarm.schemas.lifecycle import Phase, Status
from sqswarm.schemas.message import Message
from sqswarm.schemas.payload import Payload
from sqswarm.schemas.results import error_type_of
from sqswarm.schemas.signal import is_signal, topic_of
from sqswarm.schemas.tags import Tags
from sqswarm.schemas.undo import UNDO_ATTEMPTS, Undoing
from sqswarm.schemas.value import dataclass
from sqswarm.schemas.writes import Item, Key

TASK_SORT_KEY = "task"
DUE_SHARDS = 4
"""Partitions of the sweep index: one takes 1,000 writes a second."""


def task_key(agent: str, task_id: str) -> Key:
    """Return the primary key of a task's record: an agent's role reaches its own agent's only."""
    return Key(pk=f"task#{agent}#{task_id}", sk=TASK_SORT_KEY)


def task_of(key: Key) -> tuple[str, str]:
    """Return the agent and the id of the task whose record, step, turn or purse has this key."""
    _, agent, task_id = key.pk.split("#")
    return agent, task_id


def due_shard(task_id: str) -> str:
    """Return the sweep index partition of a task."""
    return f"due#{zlib.crc32(task_id.encode()) % DUE_SHARDS}"


def iso(ms: int) -> str:
    """Return ISO 8601 in UTC for a Unix time in milliseconds."""
    moment = datetime.fromtimestamp(ms / 1000, UTC)
    return moment.isoformat(timespec="milliseconds").replace("+00:00", "Z")


def wait_limit_ms(deadline: str | None) -> int | None:
    """Return when waits of a task are over whatever they are for (Unix ms); None: never.

    Some seconds after its deadline: by no other clock a run of it may still begin then, and take
    what was over for unanswered. A message from
    elsewhere may claim a deadline that looks like a time and is none; no wait ends by that.
    """
    try:
        if deadline is None:
            return None
        return round(1000 * datetime.fromisoformat(deadline).timestamp()) + 1000 * LEASE_MARGIN_S
    except (ValueError, OverflowError):
        return None


@dataclass(frozen=True, kw_only=True)
class TaskRecord:
    """One task as stored (correctness.md, "The record"). Times are Unix milliseconds.

    `expires_s` is the record's time to live (Unix seconds, as DynamoDB's TTL wants it).
    `pending` numbers the children not yet counted; `planned` is the next number. `waits` is the
    journal of what the task has waited for (journal.py), `open_asks` numbers what is still
    open: questions (`asks`) and values to be sent (`receives`). `answers` holds what came of both
    kinds, `given` how many (signal.py). `state` is what the agent exposes, as JSON. `depth` is 0
    for a task that no other task started. `parent` is `<task id>#<number>`, a task of
    `parent_agent`; `published_by` is `<agent>#<task id>`, whose result the task was started by.
    `began` is the attempt that runs and `history` the ones before it (history.py); `resumed_ms` is
    when the last wait was over. `joins` are the arguments that are events, with commas between,
    and `parts` those that have come (join.py). `parked` is why it was parked last, as JSON
    (park.py): it is while its phase says so. `copied` is what of another task it was redriven
    with, and `failed_steps` are where a failed one stopped, both as JSON. `code` is the function's
    version that the task goes on with, where versions are kept. `undoable` counts the recorded
    steps that have an undo; `undo` says how the task ends once those are undone (undo.py), None
    where it does not undo; `undo_from` is the attempt that undid the last of them, and `held` the
    version under whose lease an attempt may run on that the undo has to wait for. `notify` names
    who is told of its end, beside those its agent names; `untold` counts how often that came to
    nothing where it is all that an ended task still owes.
    """

    task_id: str
    agent: str
    principal: str
    status: Status
    v: str
    durability: Durability
    attempt: int = 0
    lease_until_ms: int = 0
    phase: Phase = Phase.RUN
    publishes: int = 0
    due_at_ms: int | None = None
    pending: frozenset[int] = frozenset()
    planned: int = 0
    wake_at_ms: int | None = None
    depth: int = 0
    created_ms: int
    updated_ms: int
    expires_s: int | None = None
    arguments: Payload | None = None
    fingerprint: str | None = None
    result: Payload | None = None
    wrapped: bool = False
    error: JsonObject | None = None
    status_message: str | None = None
    progress: float | None = None
    parent: str | None = None
    parent_agent: str | None = None
    topic: str | None = None
    session_id: str | None = None
    ordering_key: str | None = None
    deadline: str | None = None
    traceparent: str | None = None
    tracestate: str | None = None
    baggage: str | None = None
    redriven_from: str | None = None
    redriven_as: str | None = None
    published_by: str | None = None
    joins: str | None = None
    parts: Mapping[str, str] = field(default_factory=dict)
    waits: str | None = None
    began: str | None = None
    history: str | None = None
    resumed_ms: int | None = None
    parked: str | None = None
    copied: str | None = None
    failed_steps: str | None = None
    code: str | None = None
    undo: str | None = None
    held: str | None = None
    paused: str | None = None
    undoable: int = 0
    undo_from: int = 0
    tags: Tags = field(default_factory=dict)
    notify: tuple[str, ...] = ()
    untold: int = 0
    open_asks: frozenset[int] = frozenset()
    asks: JsonObject = field(default_factory=dict)
    receives: JsonObject = field(default_factory=dict)
    answers: JsonObject = field(default_factory=dict)
    given: int = 0
    state: str | None = None

    @property
    def key(self) -> Key:
        """Return the record's primary key."""
        return task_key(self.agent, self.task_id)

    @property
    def error_type(self) -> str | None:
        """Return a failed task's type of error."""
        return None if self.error is None else error_type_of(self.error)

    @property
    def parked_now(self) -> JsonObject | None:
        """Return why the task is parked (park.py); None where it is not."""
        if self.status is not Status.WORKING or self.phase is not Phase.PARKED:
            return None
        shown: JsonObject = loads(self.parked or "{}")
        return {**shown, "at": iso(shown.get("at", self.updated_ms))}

    @property
    def awaited(self) -> JsonObject:
        """Return the open waits for answers and for signals, by key."""
        return {**self.asks, **self.receives}

    @property
    def received_topics(self) -> list[str]:
        """Return the topics of what the task waits to be sent."""
        return [] if self.status.terminal else sorted({topic_of(key) for key in self.receives})

    @property
    def paused_now(self) -> JsonObject | None:
        """Return since when the task is paused, and who paused it; None where it is not.

        An undo is held back by nobody.
        """
        if self.paused is None or self.status.terminal or self.undo is not None:
            return None
        told = loads(self.paused)
        return {"at": iso(told["at_ms"]), "by": told["by"]}

    @property
    def exposed(self) -> Any:
        """Return what the agent exposes, None where that is nothing."""
        return None if self.state is None else loads(self.state)

    @property
    def started_by(self) -> tuple[str, ...]:
        """Return whose results have started it, `<agent>#<task id>` each."""
        joined = (loads(part).get("by") for _, part in sorted(self.parts.items()))
        return tuple(by for by in (self.published_by, *joined) if by is not None)

    @property
    def is_complete(self) -> bool:
        """Tell whether all events that are to be joined in it have come."""
        return self.joins is not None and len(self.parts) == len(self.joins.split(","))

    @property
    def undoing(self) -> Undoing | None:
        """Return how the task ends once it is undone; None where it does not undo."""
        if self.status is not Status.WORKING or self.undo is None:
            return None
        return Undoing.from_text(self.undo)

    @property
    def wait_limit_ms(self) -> int | None:
        """Return when a wait of the task is over whatever it is for; None: never."""
        return wait_limit_ms(self.deadline)

    def attempts_limit(self, max_attempts: int) -> int:
        """Return the number of the task's last attempt; an undo that is done brings new ones."""
        if self.undo is None:
            return max_attempts
        return self.undo_from + max(max_attempts, UNDO_ATTEMPTS)

    @property
    def unbegun(self) -> bool:
        """True where no worker has had the task yet."""
        waited = self.waits is not None and self.copied is None
        return not (self.attempt or self.history or waited)

    @classmethod
    def from_message(
        cls,
        message: Message,
        *,
        agent: str | None = None,
        v: str | None = None,
        durability: Durability = Durability.DURABLE,
        status: Status = Status.WORKING,
        now_ms: int,
        created_ms: int | None = None,
        due_at_ms: int | None = None,
        expires_s: int | None = None,
        depth: int = 0,
    ) -> TaskRecord:
        """Return the record of the task that a message asks for; `agent` is an event's subscriber.

        `v` is the message's own, unless another is given.
        """
        agent = agent or message.name
        arguments: Payload | None = None
        if message.payload_ref is not None:
            arguments = Payload(ref=message.payload_ref)
        elif message.arguments is not None:
            arguments = Payload(inline=dumps(message.arguments))
        return cls(
            task_id=message.task_id(agent),
            agent=agent,
            principal=message.principal,
            status=status,
            v=v or str(message.v),
            durability=durability,
            depth=depth,
            created_ms=created_ms or now_ms,
            updated_ms=now_ms,
            due_at_ms=due_at_ms,
            expires_s=expires_s,
            arguments=arguments,
            parent=message.parent,
            parent_agent=message.parent_agent,
            topic=message.topic,
            session_id=message.session_id,
            ordering_key=message.ordering_key,
            deadline=message.deadline,
            traceparent=message.traceparent,
            tracestate=message.tracestate,
            baggage=message.baggage,
            redriven_from=message.redriven_from,
            published_by=message.published_by,
            tags=message.tags or {},
            notify=message.notify or (),
        )

    def to_message(self) -> Message:
        """Return the task's addressed message, whatever it was first published as."""
        arguments = self.arguments or Payload(inline="{}")
        return Message(
            id=self.task_id,
            name=self.agent,
            arguments=None if arguments.inline is None else loads(arguments.inline),
            payload_ref=arguments.ref,
            principal=self.principal,
            parent=self.parent,
            parent_agent=self.parent_agent,
            deadline=self.deadline,
            v=self.v,
            session_id=self.session_id,
            ordering_key=self.ordering_key,
            redriven_from=self.redriven_from,
            published_by=self.published_by,
            traceparent=self.traceparent,
            tracestate=self.tracestate,
            baggage=self.baggage,
            tags=self.tags or None,
            notify=self.notify or None,
            code=self.code,
        )

    @classmethod
    def from_item(cls, item: Item) -> TaskRecord:
        """Return the record that a stored item holds."""
        texts = {name: item[name] for name in OPTIONAL_TEXTS if name in item}
        agent, task_id = task_of(Key(pk=item["pk"], sk=item["sk"]))
        awaited = loads(item["asks"]) if "asks" in item else {}
        return cls(
            task_id=task_id,
            agent=agent,
            principal=item["principal"],
            status=Status(item["status"]),
            v=item["v"],
            durability=Durability(item["durability"]),
            attempt=item["attempt"],
            lease_until_ms=item["lease_until"],
            phase=Phase(item["phase"]),
            publishes=item.get("publishes", 0),
            due_at_ms=item.get("due_at"),
            pending=frozenset(item.get("pending", ())),
            planned=item.get("planned", 0),
            undoable=item.get("undoable", 0),
            undo_from=item.get("undo_from", 0),
            wake_at_ms=item.get("wake_at"),
            depth=item.get("depth", 0),
            resumed_ms=item.get("resumed"),
            created_ms=item["created"],
            updated_ms=item["updated"],
            expires_s=item.get("ttl"),
            arguments=_payload(item, "arguments"),
            result=_payload(item, "result"),
            wrapped=item.get("wrapped", False),
            error=loads(item["error"]) if "error" in item else None,
            progress=item["progress"] / 1000 if "progress" in item else None,
            open_asks=frozenset(item.get("open", ())),
            asks={key: one for key, one in awaited.items() if not is_signal(key)},
            receives={key: one for key, one in awaited.items() if is_signal(key)},
            answers=loads(item["answers"]) if "answers" in item else {},
            given=item.get("given", 0),
            tags=loads(item["tags"]) if "tags" in item else {},
            notify=tuple(loads(item["notify"])) if "notify" in item else (),
            untold=item.get("untold", 0),
            parts=_parts(item) if "joins" in item else {},
            **texts,
        )

    def to_json(self) -> JsonObject:
        """Return what a caller sees: MCP's task fields first, then the swarm's own.

        The result is not in it: it may have to be fetched from S3 first.
        """
        shown: dict[str, Any] = {
            "taskId": self.task_id,
            "agent": self.agent,
            "status": self.status.value,
            "statusMessage": self.status_message,
            "progress": self.progress,
            "createdAt": iso(self.created_ms),
            "lastUpdatedAt": iso(self.updated_ms),
            "attempt": self.attempt,
            "durability": self.durability.value,
            "principal": self.principal,
            "parent": self.parent,
            "parentAgent": self.parent_agent,
            "topic": self.topic,
            "sessionId": self.session_id,
            "orderingKey": self.ordering_key,
            "deadline": self.deadline,
            "redrivenFrom": self.redriven_from,
            "redrivenAs": self.redriven_as,
            "publishedBy": self.published_by,
            "joined": None if self.joins is None else sorted(self.parts),
            "copied": None if self.copied is None else loads(self.copied),
            "failedSteps": None if self.failed_steps is None else loads(self.failed_steps),
            "wakeAt": None if self.wake_at_ms is None else iso(self.wake_at_ms),
            "pendingChildren": len(self.pending) or None,
            "inputRequests": input_requests(self.asks) or None,
            "receives": self.received_topics or None,
            "tags": self.tags or None,
            "paused": self.paused_now,
            "notify": [*self.notify] or None,
            "parked": self.parked_now,
            "state": self.exposed,
            "undoing": None if self.undoing is None else {"then": self.undoing.then},
            "error": self.error,
        }
        return {name: value for name, value in shown.items() if value is not None}


def contradiction(message: Message, record: TaskRecord, *, agent: str) -> PoisonMessage | None:
    """Return why a message to `agent` is poison beside its task's record, if it is."""
    if record.status is Status.CANCELLED and record.arguments is None:
        return None  # whoever cancelled it had seen no more of it than its id
    if record.agent != agent:
        why = f"task {record.task_id} is one of {record.agent!r}"
        return PoisonMessage("contradicts-record", why)
    return message.contradicts(record.to_message())


def input_requests(asks: JsonObject) -> JsonObject:
    """Return open questions by key, as MCP's elicitation requests."""
    return {
        key: {
            "method": "elicitation/create",
            "params": {
                "mode": "form",
                "message": asked["message"],
                "requestedSchema": asked["schema"],
            },
        }
        for key, asked in asks.items()
    }


OPTIONAL_TEXTS = (
    "fingerprint",
    "status_message",
    "parent",
    "parent_agent",
    "topic",
    "session_id",
    "ordering_key",
    "deadline",
    "traceparent",
    "tracestate",
    "baggage",
    "redriven_from",
    "redriven_as",
    "published_by",
    "joins",
    "waits",
    "began",
    "history",
    "parked",
    "copied",
    "failed_steps",
    "state",
    "code",
    "undo",
    "held",
    "paused",
)
"""Attributes stored under their field's name, as text, where they are set."""


def _parts(item: Item) -> dict[str, str]:
    """Return the events that a join's task has, by the arguments that they are."""
    names = item["joins"].split(",")
    return {name: item[PART + name] for name in names if PART + name in item}


def _payload(item: Item, name: str) -> Payload | None:
    if name in item:
        return Payload(inline=item[name])
    if f"{name}_ref" in item:
        return Payload(ref=item[f"{name}_ref"])
    return None
