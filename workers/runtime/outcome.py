"""Outcome: what the agent did. Values only; sqswarm.workers.runtime.decide decides what follows."""

from __future__ import annotations

from dataclasses import field

from sqswarm.schemas.journal import Place, PlannedChild
from sqswarm.schemas.json import JsonObject
from sqswarm.schemas.park import Misfit
from sqswarm.schemas.results import AGENT_FAILED
from sqswarm.schemas.undo import Undoing
from sqswarm.schemas.value import dataclass


class Retry(Exception):
    """Raised by an agent: try this task again later (any other exception means that too)."""

    def __init__(
        self, message: str = "the agent asked for another attempt", *, after: float | None = None
    ) -> None:
        """Say why; `after` is seconds until the next attempt, None for the usual backoff."""
        super().__init__(message)
        self.after = after


class Fail(Exception):
    """Raised by an agent: this task can never succeed; record it as failed now."""

    def __init__(self, message: str, *, type: str = "Fail") -> None:  # noqa: A002 - reads well where it is raised
        """Say why; `type` names the kind of failure in the recorded error."""
        super().__init__(message)
        self.type = type


class NonDeterministic(Fail):
    """A replay met other operations than are recorded: the agent must make the same calls again."""

    def __init__(self, misfit: Misfit) -> None:
        """Show the first difference."""
        super().__init__(misfit.why, type="NonDeterministic")
        self.misfit = misfit


@dataclass(frozen=True, kw_only=True)
class Returned:
    """The agent returned a valid value; `text` is its JSON, an object."""

    text: str
    wrapped: bool


@dataclass(frozen=True, kw_only=True)
class Broke:
    """This attempt failed, another may not. `after_s` overrides the backoff.

    `steps` are those that failed in it.
    """

    error_type: str
    message: str
    after_s: float | None = None
    steps: tuple[str, ...] = ()
    exception: BaseException | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, kw_only=True)
class Failed:
    """No attempt can succeed. `steps` are those that failed in this one."""

    error_type: str
    message: str
    code: int = AGENT_FAILED
    steps: tuple[str, ...] = ()
    exception: BaseException | None = field(default=None, repr=False, compare=False)


@dataclass(frozen=True, kw_only=True)
class ChildrenWait:
    """The agent waits for child tasks."""

    children: tuple[PlannedChild, ...]


@dataclass(frozen=True, kw_only=True)
class AskWait:
    """The agent waits for a person, or for a signal, whose key is its `name`.

    `asked` is what the record keeps of that.
    """

    name: str
    asked: JsonObject


@dataclass(frozen=True, kw_only=True)
class SleepWait:
    """The agent waits for a time (Unix milliseconds)."""

    name: str
    until_ms: int


Wait = ChildrenWait | AskWait | SleepWait


@dataclass(frozen=True, kw_only=True)
class Suspended:
    """Nothing of the run is on the move any more: it waits, and `at` says where it stands.

    `patches` are those whose new branches it goes by from now on.
    """

    waits: tuple[Wait, ...]
    at: Place
    patches: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Misfitted:
    """The code does otherwise than the task's journal has recorded: it waits for code that fits."""

    misfit: Misfit


@dataclass(frozen=True, kw_only=True)
class Undone:
    """All that the task recorded is undone: it ends as `undoing` says."""

    undoing: Undoing


@dataclass(frozen=True, kw_only=True)
class UndoBroke:
    """The undo of a step raised; `left` is what is not undone, the last first.

    `final` where no other attempt may succeed.
    """

    step: str
    left: tuple[str, ...]
    undoing: Undoing
    error_type: str
    message: str
    final: bool
    exception: BaseException | None = field(default=None, repr=False, compare=False)


Outcome = Returned | Broke | Failed | Suspended | Misfitted | Undone | UndoBroke
