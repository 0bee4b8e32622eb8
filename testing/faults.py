"""Faults: what a test lets go wrong in a memory swarm, and when.

>>> from sqswarm.testing import Duplicate, Failure, Kill, MemorySwarm, Throttle
>>> Kill(during="charge")                 # the worker dies; the step ran, and is not recorded
Kill(before=None, during='charge', after=None, at=None, agent=None, nth=1)
>>> Failure(before="charge", times=2)     # the step raises twice, then it works
Failure(before='charge', after=None, error=RuntimeError('made up'), agent=None, times=2)

A moment is named as the journal names things: `"step charge"` (or the step's name alone),
`"undo charge"` (its undo), `"ask approve"`, `"sleep 0"`, `"children"`, and what every task has:
`"acquire"`, `"settle"`, `"fail"`, `"begin undo"`, `"release"` (an attempt that failed), `"wake"`,
`"fire"` (a parent goes on), `"send"`.
"ask" means any question, "step" any step.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any, Literal

from sqswarm.schemas.errors import Unreachable, UsageError

When = Literal["before", "during", "after"]


@dataclass(frozen=True, kw_only=True)
class Moment:
    """A moment at which a worker may die. `number` counts them over the whole test, from 0.

    `before` a step or its undo: it has not run. `during`: it has run and is not recorded. `after`:
    it is. Of all else there are `before` and `after` its write.
    """

    number: int
    when: When
    name: str
    agent: str
    task_id: str

    def __str__(self) -> str:
        """Name the moment."""
        return f"{self.when} {self.name!r} of {self.agent} (moment {self.number})"

    def is_of(self, name: str, agent: str | None) -> bool:
        """Tell whether the name in a fault means what happens here."""
        if agent is not None and agent != self.agent:
            return False
        return self.name in {name, f"step {name}"} or self.name.startswith((f"{name} ", f"{name}#"))


@dataclass(frozen=True, kw_only=True)
class Kill:
    """The worker dies at the `nth` moment of this name, or `at` a moment's number.

    So does all that it carries: what it has in hand is delivered again after the queue's
    visibility. Give one of `before`, `during` (steps only), `after` and `at`.
    """

    before: str | None = None
    during: str | None = None
    after: str | None = None
    at: int | None = None
    agent: str | None = None
    nth: int = 1


@dataclass(frozen=True, kw_only=True)
class Failure:
    """The step, or the write, of this name raises `error`, `times` over.

    `before`: in place of being done. `after`: although it was done (an answer that is lost).
    """

    before: str | None = None
    after: str | None = None
    error: Exception = field(default_factory=lambda: RuntimeError("made up"))
    agent: str | None = None
    times: int = 1


@dataclass(frozen=True, kw_only=True)
class Throttle:
    """AWS turns a worker's write away, `times` over: `of` this name, or any."""

    of: str | None = None
    agent: str | None = None
    times: int = 1


@dataclass(frozen=True, kw_only=True)
class Duplicate:
    """Messages (of `agent`, or all) are delivered `copies` times more than once."""

    agent: str | None = None
    copies: int = 1


Fault = Kill | Failure | Throttle | Duplicate


class Faults:
    """The faults of one memory swarm, and the moments that it has passed."""

    def __init__(self, faults: Iterable[Fault] = ()) -> None:
        """Arm `faults`."""
        self.moments: list[Moment] = []
        self._left: dict[int, int] = {}
        self._all: list[Fault] = []
        self.add(*faults)

    def add(self, *faults: Fault) -> None:
        """Arm more; raises UsageError for one that says no moment, or several."""
        for one in faults:
            _check(one)
            self._left[len(self._all)] = getattr(one, "times", getattr(one, "nth", 1))
            self._all.append(one)

    @property
    def left(self) -> list[Fault]:
        """Return the faults that have not happened, or not often enough."""
        return [one for number, one in enumerate(self._all) if self._left[number] > 0]

    def kills(self, when: When, name: str, *, agent: str, task_id: str) -> bool:
        """Pass a moment; True where the worker dies at it."""
        moment = Moment(
            number=len(self.moments), when=when, name=name, agent=agent, task_id=task_id
        )
        self.moments.append(moment)
        dies = False
        for number, one in self._armed(Kill):
            named = getattr(one, when)
            if one.at == moment.number or (named and moment.is_of(named, one.agent)):
                self._left[number] = 0 if one.at is not None else self._left[number] - 1
                dies = dies or self._left[number] == 0
        return dies

    def error(self, when: Literal["before", "after"], name: str, *, agent: str) -> Exception | None:
        """Return what is raised there, if anything is."""
        here = Moment(number=-1, when=when, name=name, agent=agent, task_id="")
        for number, one in self._armed(Failure):
            named = getattr(one, when)
            if named and here.is_of(named, one.agent):
                self._left[number] -= 1
                error: Exception = one.error
                return error
        return None

    def throttles(self, name: str, *, agent: str) -> Exception | None:
        """Return the error of a write that is turned away."""
        here = Moment(number=-1, when="before", name=name, agent=agent, task_id="")
        for number, one in self._armed(Throttle):
            if here.is_of(one.of or name, one.agent):
                self._left[number] -= 1
                return Unreachable("throttled")
        return None

    def copies(self, agent: str | None) -> int:
        """Return how many times a message to an agent is delivered."""
        copies = 1
        for number, one in enumerate(self._all):
            if isinstance(one, Duplicate) and one.agent in {None, agent}:
                self._left[number] = 0  # from now on, for every message
                copies += one.copies
        return copies

    def _armed(self, kind: type[Any]) -> list[tuple[int, Any]]:
        return [
            (number, one)
            for number, one in enumerate(self._all)
            if isinstance(one, kind) and self._left[number] > 0
        ]


def _check(fault: Fault) -> None:
    if not isinstance(fault, Kill | Failure):
        return
    names = ("before", "during", "after", "at")
    said = [name for name in names if getattr(fault, name, None) is not None]
    if len(said) != 1:
        message = f"{fault!r} names {len(said)} moments"
        raise UsageError(message, hint='Name one: Kill(after="charge").')
