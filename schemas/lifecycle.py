"""The status machine, as a table. Statuses are MCP's (Tasks extension, 2026-07-28)."""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum
from types import MappingProxyType


class Status(StrEnum):
    """What a task is doing, in MCP's words, everywhere: API, CLI and table."""

    WORKING = "working"
    INPUT_REQUIRED = "input_required"
    COMPLETED = "completed"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def terminal(self) -> bool:
        """True once the task has ended: terminal is final."""
        return self in TERMINAL


class Phase(StrEnum):
    """Why a `working` task is not running: those ASIDE keep workers away."""

    RUN = "run"
    WAITING = "waiting"
    SLEEPING = "sleeping"
    RECEIVING = "receiving"
    """It waits for a value that somebody sends, and asks nobody."""
    PARKED = "parked"
    """Its code does not fit its journal, or is gone: it goes on with code that fits."""
    CHILDREN_DONE = "children_done"


ASIDE = (Phase.WAITING, Phase.SLEEPING, Phase.RECEIVING, Phase.PARKED)
"""A working task waits: for children, for time, for what is sent to it, for other code."""


class Event(StrEnum):
    """What can happen to a task."""

    ACQUIRED = "acquired"
    RELEASED = "released"
    PLANNED = "planned"
    FIRED = "fired"
    SLEPT = "slept"
    WOKEN = "woken"
    PARKED = "parked"
    RESUMED = "resumed"
    UNDOING = "undoing"
    ASKED = "asked"
    ANSWERED = "answered"
    AWAITED = "awaited"
    RECEIVED = "received"
    COMPLETED = "completed"
    FAILED = "failed"
    EXHAUSTED = "exhausted"
    CANCELLED = "cancelled"


TERMINAL = frozenset({Status.COMPLETED, Status.FAILED, Status.CANCELLED})

TRANSITIONS: Mapping[tuple[Status, Event], Status] = MappingProxyType(
    {
        (Status.WORKING, Event.ACQUIRED): Status.WORKING,
        (Status.WORKING, Event.RELEASED): Status.WORKING,
        (Status.WORKING, Event.PLANNED): Status.WORKING,
        (Status.WORKING, Event.FIRED): Status.WORKING,
        (Status.WORKING, Event.SLEPT): Status.WORKING,
        (Status.WORKING, Event.WOKEN): Status.WORKING,
        (Status.WORKING, Event.PARKED): Status.WORKING,
        (Status.WORKING, Event.RESUMED): Status.WORKING,
        (Status.WORKING, Event.AWAITED): Status.WORKING,
        (Status.WORKING, Event.RECEIVED): Status.WORKING,
        (Status.WORKING, Event.UNDOING): Status.WORKING,
        (Status.WORKING, Event.ASKED): Status.INPUT_REQUIRED,
        (Status.WORKING, Event.COMPLETED): Status.COMPLETED,
        (Status.WORKING, Event.FAILED): Status.FAILED,
        (Status.WORKING, Event.EXHAUSTED): Status.FAILED,
        (Status.WORKING, Event.CANCELLED): Status.CANCELLED,
        (Status.INPUT_REQUIRED, Event.ANSWERED): Status.WORKING,
        (Status.INPUT_REQUIRED, Event.UNDOING): Status.WORKING,
        (Status.INPUT_REQUIRED, Event.CANCELLED): Status.CANCELLED,
    }
)
"""Every allowed change; a pair that is not here is refused (correctness.md, "Operations")."""


def after(status: Status, event: Event) -> Status | None:
    """Return the status after `event`, or None where the machine refuses it."""
    return TRANSITIONS.get((status, event))
