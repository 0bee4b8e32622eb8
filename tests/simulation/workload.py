"""Weathers: what kind of storms there are, and how a seed becomes one of them."""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass

from simulation.agents import CODES
from simulation.fault_plan import Accident, Aim, Deploy, Fault, FaultPlan, Misfortune, Mishap, Order
from simulation.scripts import child

SIMPLE = ("ok", "ok", "slow", "long", "raise:1", "raise:2", "raise:99", "fail", "retry:1", "hang:1")
DEADLY = ("die:1", "die:2", "die:99")
WAITS = ("step", "step", "step:caught", "sleep:40", "sleep:5000")
UNDOS = ("undo", "undo", "undo:1", "undo:slow", "undo:99")
ASKS = ("ask", "ask:2", "ask:3", "ask:late", "ask:never")
RECEIVES = ("receive:1", "receive:1", "receive:3", "receive:late")
_POISONED = (
    '{"jsonrpc": "2.0", "id": "%s", "method": "tools/call", "params": {"name": "AGENT",'
    ' "arguments": {"script": %s}, "_meta": {"dev.sqswarm/principal": "me"%s}}}'
)
_BARE = "01890000-0000-7000-8000-000000000001"
_DERIVED = "01890000-0000-8000-8000-000000000001"
_CLAIMED = f', "dev.sqswarm/parent": "{_DERIVED}#0", "dev.sqswarm/parent-agent": "AGENT"'
POISON = (
    "{",
    '{"jsonrpc": "2.0"}',
    "[]",
    _POISONED % (_BARE, "[" * 1000 + "]" * 1000, ""),
    _POISONED % (_BARE, "[1e999]", ""),
    _POISONED % (_BARE, '["\\ud800"]', ""),
    _POISONED % (_BARE + "\\n", "[]", ""),
    _POISONED % (_BARE, '["ok"]', ', "dev.sqswarm/parent": "garbage"'),
    _POISONED % (_BARE, '["ok"]', _CLAIMED),
    _POISONED % (_BARE, '["ok"]', ', "dev.sqswarm/payload": "s3://memory/payloads/x"'),
    _POISONED % (_DERIVED, '["ok"]', ""),
)
_OVER_400_KB = _POISONED % (_BARE, f'["{"x" * 420_000}"]', "")


def poison_for(agent: str) -> list[str]:
    """Return one of each message that `agent` cannot run.

    Of a lean task nothing is recorded before its result, so that its arguments may be of any size.
    """
    made = [*POISON, *([] if "lean" in agent else [_OVER_400_KB])]
    return [body.replace("AGENT", agent) for body in made]


AGENTS = ("standard", "standard", "durable", "durable", "container", "lean")
CHILDREN = ("standard", "durable", "container", "lean")

OPERATIONS = (
    "create",
    "acquire",
    "renew",
    "release",
    "record step",
    "plan",
    "sleep",
    "ask",
    "receive",
    "signal",
    "park",
    "resume",
    "answer",
    "wake",
    "count",
    "fire",
    "settle",
    "cancel",
    "make cancelled",
    "fail",
    "clear due",
    "republish",
    "create & link redriven",
    "begin undo",
    "count undo",
    "let go",
    "publish",
    "send",
    "delete",
    "hide",
    "dead letter",
    "read",
)
PAUSING = ("pause", "unpause", "set aside")
"""What an aim may be at: the beginnings of what requests are called (simulation.naming)."""


@dataclass(frozen=True, kw_only=True)
class Workload:
    """What kind of storm it is: which misfortunes come how often, and what agents do in it.

    `rates` are of misfortunes at any request, `aims` the operations that some are aimed at.
    `quick` is how likely a script has one `simple` piece and waits for nothing, `breaks` how
    likely such a piece stands among its waits, `deep` how likely it has children, by its depth.
    `accidents`, `early`, `give_ups`, `cancels`, `redrives` and `pauses` are likelihoods, too.
    """

    faults: Mapping[Fault, int]
    rates: tuple[float, ...] = (0.02, 0.05, 0.1, 0.2)
    aims: tuple[str, ...] = OPERATIONS
    aimed: tuple[int, ...] = (0, 1, 2)
    accidents: float = 0.15
    early: float = 0.1
    give_ups: float = 0.2
    cancels: float = 0.12
    redrives: float = 0.1
    orders: tuple[int, ...] = (1, 1, 1, 2, 2, 3)
    agents: tuple[str, ...] = AGENTS
    simple: tuple[str, ...] = SIMPLE
    waits: tuple[str, ...] = WAITS
    asks: tuple[str, ...] = ASKS
    delays: tuple[int, ...] = (0,) * 8 + (20, 1500)
    poison: float = 0.05
    quick: float = 0.4
    breaks: float = 0.4
    deep: tuple[float, ...] = (0.5, 0.25, 0.1)
    deploys: tuple[int, ...] = ()
    removes: str = ""
    """An agent that every other deployment has no more."""
    pauses: float = 0.1
    notify: float = 0.0
    """How likely a task names somebody to be told of its end; then others are, of every task."""
    deadlines: tuple[int | None, ...] = ()
    singletons: tuple[str | None, ...] = ()


_DEPLOYED_S = (1, 3, 10, 25, 41, 70, 200, 600, 4990)

_CRASHES = {Fault.CRASH_BEFORE: 2, Fault.CRASH_AFTER: 3, Fault.CRASH_LATE: 1}

WORKLOADS: Mapping[str, Workload] = {
    "mixed": Workload(
        faults=dict.fromkeys(Fault, 3) | {Fault.REPEATED_LATE: 1, Fault.SLOW: 1, Fault.PAUSED: 1}
    ),
    "crashes": Workload(faults=_CRASHES, rates=(0.05, 0.1, 0.3), accidents=0.3),
    "zombies": Workload(
        faults={
            Fault.PAUSED: 5,
            Fault.REPEATED_LATE: 2,
            Fault.ECHOED: 1,
            Fault.CRASH_LATE: 2,
            Fault.LATE: 2,
        },
        rates=(0.0, 0.05, 0.1, 0.2),
        aims=(
            *("settle", "release", "plan", "ask", "sleep", "acquire"),
            *("record step", "record step", "renew", "renew"),
        ),
        aimed=(1, 2),
        early=0.7,
        cancels=0.05,
        orders=(1, 1, 2),
        agents=("standard", "standard", "durable", "container", "container", "lean"),
        simple=("slow", "slow", "long", "long", "raise:1", "hang:1", "retry:1"),
        waits=("step", "step", "step:caught", "sleep:40"),
        breaks=0.8,
        deep=(0.2, 0.1),
    ),
    "bad lines": Workload(
        faults={Fault.ANSWER_LOST: 2, Fault.LATE: 3, Fault.REPEATED: 2, Fault.ECHOED: 5},
        rates=(0.05, 0.1, 0.3),
    ),
    # What resumes a task, while its message is late and an earlier request of it still under way.
    "resumes": Workload(
        faults={Fault.ECHOED: 4, Fault.LATE: 1, Fault.CRASH_AFTER: 1, Fault.REPEATED_LATE: 1},
        rates=(0.0, 0.05),
        aims=("plan", "sleep", "ask", "answer", "wake", "fire"),
        aimed=(1, 2, 3),
        accidents=0.5,
        cancels=0.05,
        orders=(1,),
        agents=("standard", "durable", "container"),
        simple=("ok",),
        waits=("sleep:40", "sleep:40", "step"),
        asks=("ask", "ask:2", "ask:3"),
        quick=0.05,
        deep=(0.6, 0.1),
    ),
    # Queues that give messages up after one or two receives: only the sweep is left.
    "give-ups": Workload(
        faults=_CRASHES | {Fault.REFUSED: 1},
        rates=(0.0, 0.05, 0.1),
        aims=("plan", "create", "settle", "count", "fire", "fail", "dead letter", "clear due"),
        aimed=(1, 2, 3),
        give_ups=0.9,
        orders=(1, 1, 2),
        agents=("standard", "standard", "durable", "container"),
        simple=("ok", "fail", "raise:99", *DEADLY),
        deep=(0.8, 0.2),
    ),
    # People who cancel, answer and redrive at once, and whose programs crash while they do.
    "people": Workload(
        faults=_CRASHES | {Fault.ANSWER_LOST: 2, Fault.LATE: 2, Fault.REPEATED: 2, Fault.ECHOED: 2},
        rates=(0.02, 0.1),
        aims=(
            *("cancel", "make cancelled", "answer", "create & link redriven", "record step#work0"),
            *("read", "clear due"),
        ),
        aimed=(1, 2),
        cancels=0.6,
        redrives=0.4,
        orders=(1, 1, 2),
        simple=("ok", "slow", "fail"),
        waits=("sleep:5000", "sleep:40", "step"),
        deep=(0.8, 0.5, 0.5),
    ),
    # Code that is another in the middle of it, some of it taken back.
    "deploys": Workload(
        faults=_CRASHES
        | {
            Fault.ANSWER_LOST: 2,
            Fault.LATE: 2,
            Fault.REPEATED: 2,
            Fault.ECHOED: 2,
            Fault.PAUSED: 1,
        },
        rates=(0.0, 0.0, 0.02, 0.1),
        aims=("park", "park", "resume", "resume", "plan", "ask", "sleep", "settle", "acquire"),
        aimed=(0, 1, 2),
        cancels=0.1,
        redrives=0.05,
        orders=(1, 1, 2),
        agents=("standard", "durable", "container"),
        simple=("ok", "slow", "raise:1", "retry:1"),
        waits=("step", "step", "step:caught", "sleep:40", "sleep:5000"),
        quick=0.05,
        deep=(0.6, 0.3),
        deploys=(1, 2, 2, 3),
    ),
    # An agent that is removed while its tasks wait, run, and come, and is there again later.
    "removals": Workload(
        faults=_CRASHES
        | {Fault.LATE: 2, Fault.REPEATED: 1, Fault.ECHOED: 2, Fault.REPEATED_LATE: 2}
        | {Fault.PAUSED: 3, Fault.SLOW: 1},
        rates=(0.0, 0.0, 0.02, 0.1),
        aims=("set aside", "set aside", "resume", "settle", "release", "plan", "sleep", "acquire"),
        aimed=(0, 1, 2),
        cancels=0.1,
        orders=(1, 1, 2, 3),
        agents=("durable",),
        simple=("ok", "slow", "slow", "long", "raise:1", "retry:1", "hang:1"),
        waits=("step", "sleep:40", "sleep:5000", "undo"),
        quick=0.3,
        deep=(0.3,),
        poison=0.0,  # it would go with the queue
        deploys=(2, 2, 4),  # the last brings it back
        removes="durable",
    ),
    # Values that are sent into tasks before they are asked for, meanwhile, and too late.
    "signals": Workload(
        faults=_CRASHES
        | {
            Fault.ANSWER_LOST: 3,
            Fault.LATE: 3,
            Fault.REPEATED: 2,
            Fault.ECHOED: 3,
            Fault.PAUSED: 1,
        },
        rates=(0.0, 0.02, 0.1),
        aims=(
            *("receive", "receive", "signal", "signal", "answer", "answer"),
            *("ask", "plan", "settle", "acquire", "cancel"),
        ),
        aimed=(1, 2, 3),
        cancels=0.15,
        redrives=0.1,
        orders=(1, 1, 2),
        agents=("standard", "durable", "container"),
        simple=("ok", "slow", "slow", "raise:1", "long"),
        waits=(*RECEIVES, "step", "sleep:40"),
        asks=(*RECEIVES, "ask"),
        quick=0.05,
        breaks=0.6,
        deep=(0.2, 0.1),
    ),
    # Tasks that fail, are cancelled or lost when they have done something that can be undone.
    "undoing": Workload(
        faults=_CRASHES
        | {Fault.ANSWER_LOST: 2, Fault.LATE: 2, Fault.REPEATED: 2, Fault.ECHOED: 2}
        | {Fault.REPEATED_LATE: 1, Fault.PAUSED: 2, Fault.SLOW: 1},
        rates=(0.0, 0.02, 0.05, 0.1),
        aims=(
            *("begin undo", "begin undo", "count undo", "count undo", "let go", "record step"),
            *("settle", "fail", "cancel", "acquire", "park", "resume"),
        ),
        aimed=(0, 1, 2),
        early=0.3,
        give_ups=0.3,
        cancels=0.4,
        redrives=0.2,
        orders=(1, 1, 2),
        agents=("standard", "durable", "container"),
        simple=("ok", "slow", "long", "fail", "fail", "raise:99", "raise:2", "raise:2", "hang:1"),
        waits=(*UNDOS, "undo", "step", "step:caught", "sleep:40", "sleep:5000"),
        asks=("undo", "ask", "ask:2", "undo:1"),
        quick=0.05,
        breaks=0.7,
        deep=(0.4, 0.2),
        deploys=(0, 0, 0, 1, 2),
    ),
    # Tasks that people pause and resume while workers stand still, and requests land late.
    "pauses": Workload(
        faults=_CRASHES
        | {
            Fault.ANSWER_LOST: 2,
            Fault.LATE: 3,
            Fault.REPEATED: 1,
            Fault.ECHOED: 3,
            Fault.REPEATED_LATE: 2,
            Fault.PAUSED: 4,
            Fault.SLOW: 2,
        },
        rates=(0.0, 0.02, 0.1),
        aims=(
            *(*PAUSING, "read", "resume", "acquire", "acquire"),
            *("settle", "release", "plan", "ask", "sleep", "park"),
        ),
        aimed=(1, 2, 3),
        early=0.3,
        cancels=0.1,
        redrives=0.05,
        orders=(1, 1, 2),
        agents=("standard", "durable", "container"),
        simple=("ok", "slow", "slow", "long", "raise:1", "raise:2", "retry:1", "hang:1"),
        waits=("step", "step", "sleep:40", "sleep:40", "undo"),
        quick=0.3,
        breaks=0.6,
        deep=(0.4, 0.2),
        deploys=(0, 0, 0, 1),
        pauses=1.0,
    ),
    # Somebody is told of every task's end, and of some a second one; many die just before that.
    "told": Workload(
        faults=_CRASHES
        | {Fault.REFUSED: 3, Fault.ANSWER_LOST: 2, Fault.LATE: 2, Fault.REPEATED: 2}
        | {Fault.ECHOED: 1, Fault.PAUSED: 2},
        rates=(0.0, 0.02, 0.1),
        aims=(
            *("tell", "tell", "tell", "settle", "make completed", "make failed", "fail"),
            *("cancel", "make cancelled", "clear due", "owe notice", "count"),
        ),
        aimed=(1, 2, 3),
        give_ups=0.3,
        cancels=0.3,
        redrives=0.1,
        orders=(1, 1, 2, 3),
        simple=("ok", "ok", "slow", "fail", "raise:99", "raise:1"),
        waits=("step", "sleep:40", "undo", "undo:99"),
        deep=(0.4, 0.2),
        notify=0.5,
    ),
    # Results that are events: those who publish them die, and lose what they were told.
    "events": Workload(
        faults=_CRASHES | {Fault.REFUSED: 2, Fault.ANSWER_LOST: 2, Fault.LATE: 2, Fault.ECHOED: 2},
        rates=(0.0, 0.02, 0.1),
        aims=(
            *("publish", "publish", "publish", "settle", "clear due", "create", "delete"),
            *("join", "join", "join (new)", "wake", "send"),
        ),
        aimed=(1, 2, 3),
        accidents=0.3,
        give_ups=0.4,
        cancels=0.1,
        redrives=0.1,
        orders=(1, 1, 2),
        agents=("teller", "teller", "durable-teller", "lean-teller"),
        simple=("ok", "ok", "slow", "raise:1", "fail"),
        waits=("step", "sleep:40"),
        asks=("ask",),
        quick=0.5,
        breaks=0.2,
        deep=(0.3,),
    ),
    # Agents with a limit, whose tasks come at the same time and wait for one another's slots; some
    # have deadlines.
    "limits": Workload(
        faults=_CRASHES
        | {Fault.ANSWER_LOST: 2, Fault.LATE: 2, Fault.REPEATED: 2, Fault.ECHOED: 2}
        | {Fault.REFUSED: 1, Fault.SLOW: 1, Fault.PAUSED: 2, Fault.REPEATED_LATE: 1},
        rates=(0.0, 0.0, 0.02, 0.1),
        aims=(
            *("take slots", "take slots", "take slots", "renew slots", "give slots back"),
            *("acquire", "renew", "settle", "release", "send"),
        ),
        aimed=(0, 1, 2),
        accidents=0.05,
        early=0.05,
        orders=(3, 4, 6),
        agents=("limited", "limited", "limited-container", "limited-container", "durable"),
        simple=("slow", "slow", "slow", "slow", "long", "raise:1", "retry:1", "ok", "hang:1"),
        waits=("slow", "step", "sleep:40"),
        asks=("ask", "slow"),
        quick=0.7,
        deep=(0.1,),
        deadlines=(None, None, None, 5, 20, 60),
    ),
    # Callers that start tasks of which one is to be under way at a time.
    "singletons": Workload(
        faults=_CRASHES
        | {Fault.ANSWER_LOST: 3, Fault.LATE: 3, Fault.REPEATED: 2, Fault.ECHOED: 3}
        | {Fault.SLOW: 2, Fault.PAUSED: 1},
        rates=(0.0, 0.02, 0.1),
        aims=("create & hold", "create & hold", "create & hold", "settle", "read", "publish"),
        aimed=(1, 2, 3),
        cancels=0.2,
        orders=(3, 4, 6),
        agents=("standard", "standard", "durable"),
        simple=("ok", "slow", "fail", "raise:1"),
        waits=("step", "sleep:40"),
        asks=("ask", "step"),
        quick=0.8,
        deep=(0.1,),
        singletons=("one", "one", "one", None),
    ),
    # Tasks whose time is over while they wait, of all kinds of waits.
    "deadlines": Workload(
        faults=_CRASHES
        | {Fault.ANSWER_LOST: 2, Fault.LATE: 2, Fault.REPEATED: 2, Fault.ECHOED: 2}
        | {Fault.SLOW: 1, Fault.PAUSED: 1},
        rates=(0.0, 0.0, 0.02, 0.1),
        aims=("plan", "ask", "sleep", "receive", "answer", "settle", "acquire", "begin undo"),
        aimed=(0, 1, 2),
        orders=(1, 1, 2),
        agents=("standard", "durable", "container"),
        simple=("ok", "slow", "retry:1", "raise:2", "hang:1"),
        waits=("step", "undo", "sleep:40", "sleep:5000"),
        asks=("ask", "ask:2", "ask:late", "receive:1", "receive:late", "undo"),
        quick=0.2,
        deep=(0.5, 0.2),
        deadlines=(5, 20, 60, 60, 120, 900),
    ),
    # Nothing goes wrong but what somebody sends: whatever else happens here, it has done.
    "poison": Workload(
        faults={Fault.REFUSED: 1},
        rates=(0.0,),
        aimed=(0,),
        accidents=0.0,
        early=0.0,
        give_ups=0.0,
        cancels=0.0,
        redrives=0.0,
        pauses=0.0,
        orders=(3, 5, 8),
        agents=("standard", "durable", "container", "lean"),
        simple=("ok",),
        delays=(0,),
        poison=1.0,
        quick=1.0,
        breaks=0.0,
    ),
}
"""By name. A seed draws one of them; the first comes twice as often."""

_BY_NAME = {"pauses", "removals", "told", "events", "limits", "deadlines", "singletons"}
_DRAWN = ("mixed", *(name for name in WORKLOADS if name not in _BY_NAME))
"""Pauses come in a tenth of all storms, whatever they are; the others by name are asked for: a seed
means what it meant before there were any."""


def fault_plan_of(seed: int, workload: str | None = None) -> FaultPlan:
    """Return the storm of a seed (in the weather of that name): the same for ever."""
    chance = random.Random(seed if workload is None else f"{workload} {seed}")
    drawn = WORKLOADS[workload or chance.choice(_DRAWN)]
    count = chance.choice(drawn.orders)
    orders = tuple(_order(chance, drawn, n) for n in range(count))
    rate = chance.choice(drawn.rates)
    return FaultPlan(
        seed=seed,
        workload=workload,
        orders=orders,
        misfortunes=tuple(
            Misfortune(at=at, what=_fault(chance, drawn), size=_size(chance))
            for at in range(60 * count)
            if _happens(chance, rate)
        ),
        aims=tuple(
            Aim(
                on=chance.choice(drawn.aims),
                nth=chance.choice((0, 0, 0, 1, 2)),
                what=_fault(chance, drawn),
                size=_size(chance),
            )
            for _ in range(chance.choice(drawn.aimed))
        ),
        accidents=tuple(
            Accident(at=at, what=chance.choice(list(Mishap)), size=_size(chance))
            for at in range(6 * count)
            if _happens(chance, drawn.accidents)
        ),
        early=tuple(at for at in range(8 * count) if _happens(chance, drawn.early)),
        receives=chance.choice((1, 2, 3)) if _happens(chance, drawn.give_ups) else None,
        poison=tuple(
            chance.choice(poison_for(orders[0].agent))
            for _ in range(chance.randrange(1, 4) if _happens(chance, drawn.poison) else 0)
        ),
        deploys=_deploys(chance, drawn),
        pauses=random.Random(f"pauses {seed}").random() < drawn.pauses,
        told=drawn.notify > 0,
    )


def _deploys(chance: random.Random, workload: Workload) -> tuple[Deploy, ...]:
    if not workload.deploys:
        return ()
    times = sorted(chance.sample(_DEPLOYED_S, chance.choice(workload.deploys)))
    if workload.removes:
        gone = (workload.removes, "") * len(times)
        return tuple(
            Deploy(at_s=at_s, code=0, without=w) for at_s, w in zip(times, gone, strict=False)
        )
    return tuple(Deploy(at_s=at_s, code=chance.randrange(CODES)) for at_s in times)


def _fault(chance: random.Random, workload: Workload) -> Fault:
    return chance.choices(list(workload.faults), list(workload.faults.values()))[0]


def _size(chance: random.Random) -> float:
    return round(chance.random(), 3)


def _order(chance: random.Random, workload: Workload, number: int) -> Order:
    agent = chance.choice(workload.agents)
    durable = agent == "durable" or _happens(chance, 0.2)
    return Order(
        agent=agent,
        script=_script(chance, workload, waits="lean" not in agent or durable),
        at_s=chance.choice((0, 0, 0, 1, 30)),
        key=f"key-{number}" if _happens(chance, 0.3) else None,
        durable=durable,
        delay_s=chance.choice(workload.delays),
        cancel_after_s=chance.choice((0, 1, 5, 60, 500))
        if _happens(chance, workload.cancels)
        else None,
        redrive=_happens(chance, workload.redrives),
        notify=workload.notify > 0 and _happens(chance, workload.notify),
        deadline_s=chance.choice(workload.deadlines) if workload.deadlines else None,
        singleton=chance.choice(workload.singletons) if workload.singletons else None,
    )


def _script(
    chance: random.Random, workload: Workload, *, waits: bool, depth: int = 0
) -> tuple[str, ...]:
    if not waits or _happens(chance, workload.quick):
        return (_simple(chance, workload),)
    kinds = workload.waits if _happens(chance, 0.6) else workload.asks
    pieces = [chance.choice(kinds) for _ in range(chance.choice((1, 1, 2, 3)))]
    if depth < len(workload.deep) and _happens(chance, workload.deep[depth]):
        inner = [
            child(agent, _script(chance, workload, waits=_happens(chance, 0.3), depth=depth + 1))
            for agent in chance.choices(CHILDREN, k=chance.choice((1, 2, 3, 4)))
        ]
        both = _happens(chance, 0.2)
        text = f"both {inner[0]}" if both else f"children {' '.join(inner)}"
        pieces.insert(chance.randrange(len(pieces) + 1), text)
    if _happens(chance, workload.breaks):
        pieces.insert(chance.randrange(len(pieces) + 1), _simple(chance, workload))
    return tuple(pieces)


def _simple(chance: random.Random, workload: Workload) -> str:
    deadly = _happens(chance, 0.15) and workload.poison < 1
    return chance.choice(DEADLY if deadly else workload.simple)


def _happens(chance: random.Random, probability: float) -> bool:
    return chance.random() < probability
