"""A storm as a value: what is submitted, what goes wrong, and the seed of everything else."""

from __future__ import annotations

import random
from collections.abc import Mapping
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
class Accident:
    """One thing that goes wrong with a message: with copy number `at` that enters a queue."""

    at: int
    what: Mishap
    size: float


@dataclass(frozen=True, kw_only=True)
class Order:
    """One task that a caller wants: of which agent, doing what (infra.simulate.agents), when."""

    agent: str
    script: tuple[str, ...]
    at_s: int = 0
    key: str | None = None
    durable: bool = False
    delay_s: int = 0
    cancel_after_s: int | None = None
    redrive: bool = False


@dataclass(frozen=True, kw_only=True)
class Storm:
    """Everything that a simulation depends on."""

    seed: int
    orders: tuple[Order, ...]
    misfortunes: tuple[Misfortune, ...] = ()
    accidents: tuple[Accident, ...] = ()
    early: tuple[int, ...] = ()
    """Numbers of the deliveries whose visibility runs out at once: they are delivered twice."""
    receives: int | None = None
    """Receives after which SQS gives a message up; None: as the agents' specs have it."""
    poison: tuple[str, ...] = ()
    """Bodies that are published to the first agent of the storm."""


SIMPLE = ("ok", "ok", "slow", "raise:1", "raise:2", "raise:99", "fail", "retry:1", "hang:1")
SLOW = ("slow", "slow", "raise:1", "hang:1", "retry:1")
DEADLY = ("die:1", "die:2", "die:99")
WAITS = ("step", "step", "step:caught", "sleep:40", "sleep:5000")
ASKS = ("ask", "ask:2", "ask:late", "ask:never")
POISON = ("{", '{"jsonrpc": "2.0"}', "[]")


@dataclass(frozen=True, kw_only=True)
class Weather:
    """What kind of storm it is: which misfortunes come how often, and what agents do in it."""

    faults: Mapping[Fault, int]
    rates: tuple[float, ...] = (0.02, 0.05, 0.1, 0.2)
    accidents: float = 0.15
    early: float = 0.1
    simple: tuple[str, ...] = SIMPLE


_MIXED = Weather(
    faults=dict.fromkeys(Fault, 3) | {Fault.REPEATED_LATE: 1, Fault.SLOW: 1, Fault.PAUSED: 1}
)
_CRASHES = Weather(
    faults={Fault.CRASH_BEFORE: 2, Fault.CRASH_AFTER: 3, Fault.CRASH_LATE: 1},
    rates=(0.05, 0.1, 0.3),
    accidents=0.3,
)
_ZOMBIES = Weather(
    faults={Fault.PAUSED: 5, Fault.REPEATED_LATE: 2, Fault.ECHOED: 1},
    rates=(0.1, 0.2),
    early=0.6,
    simple=SLOW,
)
_BAD_LINES = Weather(
    faults={Fault.ANSWER_LOST: 2, Fault.LATE: 3, Fault.REPEATED: 2, Fault.ECHOED: 5},
    rates=(0.05, 0.1, 0.3),
)
_WEATHERS = (_MIXED, _MIXED, _CRASHES, _ZOMBIES, _BAD_LINES)


def storm_of(seed: int) -> Storm:
    """Return the storm of a seed: the same for ever."""
    chance = random.Random(seed)
    weather = chance.choice(_WEATHERS)
    count = chance.choice((1, 1, 1, 2, 2, 3))
    orders = tuple(_order(chance, weather, n) for n in range(count))
    rate = chance.choice(weather.rates)
    faults, weights = list(weather.faults), list(weather.faults.values())
    return Storm(
        seed=seed,
        orders=orders,
        misfortunes=tuple(
            Misfortune(
                at=at, what=chance.choices(faults, weights)[0], size=round(chance.random(), 3)
            )
            for at in range(60 * count)
            if _happens(chance, rate)
        ),
        accidents=tuple(
            Accident(at=at, what=chance.choice(list(Mishap)), size=round(chance.random(), 3))
            for at in range(6 * count)
            if _happens(chance, weather.accidents)
        ),
        early=tuple(at for at in range(8 * count) if _happens(chance, weather.early)),
        receives=chance.choice((1, 2, 3)) if _happens(chance, 0.2) else None,
        poison=(chance.choice(POISON),) if _happens(chance, 0.05) else (),
    )


def _order(chance: random.Random, weather: Weather, number: int) -> Order:
    agent = chance.choice(("standard", "standard", "durable", "durable", "lean"))
    durable = agent == "durable" or _happens(chance, 0.2)
    return Order(
        agent=agent,
        script=_script(chance, weather, waits=agent != "lean" or durable),
        at_s=chance.choice((0, 0, 0, 1, 30)),
        key=f"key-{number}" if _happens(chance, 0.3) else None,
        durable=durable,
        delay_s=chance.choice((0,) * 8 + (20, 1500)),
        cancel_after_s=chance.choice((0, 1, 5, 60, 500)) if _happens(chance, 0.12) else None,
        redrive=_happens(chance, 0.1),
    )


def _script(
    chance: random.Random, weather: Weather, *, waits: bool, depth: int = 0
) -> tuple[str, ...]:
    if not waits or _happens(chance, 0.4):
        return (_simple(chance, weather),)
    kinds = WAITS if _happens(chance, 0.6) else ASKS
    pieces = [chance.choice(kinds) for _ in range(chance.choice((1, 1, 2, 3)))]
    if depth == 0 and _happens(chance, 0.5):
        inner = [
            "/".join((agent, *_script(chance, weather, waits=_happens(chance, 0.2), depth=1)))
            for agent in chance.choices(("standard", "durable", "lean"), k=chance.choice((1, 2, 3)))
        ]
        both = _happens(chance, 0.2)
        text = f"both {inner[0]}" if both else f"children {' '.join(inner)}"
        pieces.insert(chance.randrange(len(pieces) + 1), text)
    if _happens(chance, 0.4):
        pieces.insert(chance.randrange(len(pieces) + 1), _simple(chance, weather))
    return tuple(pieces)


def _simple(chance: random.Random, weather: Weather) -> str:
    return chance.choice(DEADLY if _happens(chance, 0.15) else weather.simple)


def _happens(chance: random.Random, probability: float) -> bool:
    return chance.random() < probability
