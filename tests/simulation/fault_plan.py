"""A storm as a value: what is submitted, what goes wrong, and the seed of everything else."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Fault(StrEnum):
    """What may happen to one request to a store, a bus or a bucket."""

    CRASH_BEFORE = "crash-before"
    """The process dies; the request was never sent."""
    CRASH_AFTER = "crash-after"
    """The request is carried out; the process dies before its answer."""
    CRASH_LATE = "crash-late"
    """The process dies with the request under way: it lands some time later."""
    REFUSED = "refused"
    """Throttled, or a 5xx: not carried out, and the caller is told so."""
    ANSWER_LOST = "answer-lost"
    """Carried out; the caller sees an error. Of a batch, any part may be carried out."""
    REPEATED = "repeated"
    """Carried out twice: the SDK repeats a request whose answer was lost. The second answers."""
    REPEATED_LATE = "repeated-late"
    """Carried out; the process stands still for longer than its lease, then repeats it."""
    ECHOED = "echoed"
    """Carried out and answered; an earlier try of the same request lands after that."""
    LATE = "late"
    """The caller gives up with an error; the request lands after that."""
    SLOW = "slow"
    """The answer takes its time; what it says is old by then."""
    PAUSED = "paused"
    """The whole process stands still for longer than its lease, then goes on: a zombie."""


class Mishap(StrEnum):
    """What may happen to one copy of a message on its way into a queue."""

    DOUBLED = "doubled"
    HELD_UP = "held-up"
    LOST = "lost"
    """Only a message whose task is recorded: for the others SNS keeps its promise."""


@dataclass(frozen=True, kw_only=True)
class Misfortune:
    """One thing that goes wrong: at request number `at` of the storm, `size` (0 to 1) strongly."""

    at: int
    what: Fault
    size: float


@dataclass(frozen=True, kw_only=True)
class Aim:
    """One thing that goes wrong with the `nth` request (from 0) whose name begins with `on`."""

    on: str
    nth: int
    what: Fault
    size: float


@dataclass(frozen=True, kw_only=True)
class Accident:
    """One thing that goes wrong with a message: with copy number `at` that enters a queue."""

    at: int
    what: Mishap
    size: float


@dataclass(frozen=True, kw_only=True)
class Order:
    """One task that a caller wants: of which agent, doing what (simulation.agents), when."""

    agent: str
    script: tuple[str, ...]
    at_s: int = 0
    key: str | None = None
    durable: bool = False
    delay_s: int = 0
    cancel_after_s: int | None = None
    redrive: bool = False
    notify: bool = False
    deadline_s: int | None = None
    singleton: str | None = None


@dataclass(frozen=True, kw_only=True)
class Deploy:
    """The agents' code is another from `at_s` on: which one, by number (simulation.agents).

    `without` is an agent that it has no more; the next that has it again makes its queue anew.
    """

    at_s: int
    code: int
    without: str = ""


@dataclass(frozen=True, kw_only=True)
class FaultPlan:
    """Everything that a simulation depends on."""

    seed: int
    orders: tuple[Order, ...]
    misfortunes: tuple[Misfortune, ...] = ()
    aims: tuple[Aim, ...] = ()
    accidents: tuple[Accident, ...] = ()
    early: tuple[int, ...] = ()
    """Numbers of the deliveries whose visibility runs out at once: they are delivered twice."""
    receives: int | None = None
    """Receives after which SQS gives a message up; None: as the agents' specs have it."""
    poison: tuple[str, ...] = ()
    """Bodies that are published to the first agent of the storm."""
    deploys: tuple[Deploy, ...] = ()
    pauses: bool = False
    """People pause half of the tasks, and resume them."""
    keeps_versions: bool = False
    """Functions' versions are kept: a task goes on with the code that it began with."""
    told: bool = False
    """Somebody is told of the end of every task."""
    workload: str | None = None
    """The weather it was asked for; None: the seed drew that, too."""
