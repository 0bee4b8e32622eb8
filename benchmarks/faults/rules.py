"""Rules: which request meets which fault. By chance (a soak), or exactly this one (a test)."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from benchmarks.faults.call import Call


class Fault(StrEnum):
    """What may happen to a request."""

    THROTTLE = "throttle"
    """Refused by the service, in its own words; nothing was done."""
    BROKEN = "5xx"
    """Refused with a server error; nothing was done."""
    TIMED_OUT = "time-out"
    """Held for a moment, then the connection drops; nothing was done."""
    LOST = "response lost"
    """Done, and then the connection drops instead of the answer."""
    TWICE = "done twice"
    """Forwarded twice; the second answer counts."""
    HELD = "held"
    """Held until the rule is released; then forwarded, unless its caller is gone."""
    LATE = "late"
    """Held like that, and then forwarded even if its caller is gone: it lands late."""
    ANSWER_HELD = "answer held"
    """Done; the answer is held until the rule is released."""


@dataclass(kw_only=True)
class Rule:
    """The next `times` requests of `operation` that `matches` meet `fault`, after `skip` others.

    Without `operation`, of any: how many are in a call decides how DynamoDB is asked to write.

    `naming` is a text (a task id) that the request's body must hold. `reached` is set when the
    first of them has arrived (for LOST and ANSWER_HELD: was done); `release` lets held ones go.
    """

    fault: Fault
    operation: str = ""
    naming: str = ""
    matches: Callable[[Call], bool] = field(default=lambda _: True)
    skip: int = 0
    times: int = 1
    met: int = 0
    reached: threading.Event = field(default_factory=threading.Event, repr=False)
    release: threading.Event = field(default_factory=threading.Event, repr=False)

    def applies(self, call: Call) -> bool:
        """Tell whether this request is the rule's, and count it."""
        if self.operation not in {"", call.operation} or self.naming not in call.text:
            return False
        if not self.times or not self.matches(call):
            return False
        if self.skip:
            self.skip -= 1
            return False
        self.times -= 1
        self.met += 1
        return True


EVERYTHING = "*"
_PUBLISHES = frozenset({"Publish", "PublishBatch", "SendMessage", "SendMessageBatch"})
_SPARED = frozenset({"sts", "cloudformation", "lambda", ""})
"""What is no part of a task's way: who asks, and the harness's own requests."""


@dataclass(frozen=True, kw_only=True)
class Rates:
    """Shares of requests (0 to 1) that meet a fault; `twice` is of those that send messages."""

    shares: Mapping[Fault, float] = field(default_factory=dict)
    twice: float = 0.0
    down: Mapping[str, Fault] = field(default_factory=dict)
    """Services (`EVERYTHING`: all) of which each request meets the fault, as in an outage."""

    def draw(self, call: Call, chance: random.Random) -> Fault | None:
        """Return the fault that a request meets, if any."""
        fault = self.down.get(call.service) or self.down.get(EVERYTHING)
        if fault is not None:
            return fault
        if call.service in _SPARED:
            return None
        drawn = chance.random()
        for fault, share in self.shares.items():
            if drawn < share:
                return fault
            drawn -= share
        if call.operation in _PUBLISHES and chance.random() < self.twice:
            return Fault.TWICE
        return None


NONE = Rates()
STANDARD = Rates(
    shares={
        Fault.THROTTLE: 0.02,
        Fault.BROKEN: 0.01,
        Fault.TIMED_OUT: 0.005,
        Fault.LOST: 0.015,
    },
    twice=0.05,
)
"""docs/soak.md: 5 % of the AWS calls in all; half of the duplicates are published twice."""

PROFILES: Mapping[str, Rates] = {"standard": STANDARD, "ruin": STANDARD}
"""Others have none."""
