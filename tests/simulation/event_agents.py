"""The agents of the storms with events: some publish what they played, others hear of it.

What those play is published too, and joined.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from simulation.agents import AGENTS, LIMITED, MAX_ATTEMPTS, TIMEOUT_S, play
from simulation.fault_plan import FaultPlan
from sqswarm import TaskContext, agent
from sqswarm.workers.agent import AnyAgent

TOPIC = "played"
WITHIN_S = 600
_LATE_OF_16 = 4


@dataclass
class Played:
    """What a publisher's pieces gave, and what its subscribers are to play."""

    key: str
    script: list[str]
    result: list[Any]


async def _play(script: list[str], ctx: TaskContext) -> Played:
    result = await play(script, ctx)
    return Played(key=ctx.task_id, script=["step", "ok"], result=result)


_OPTIONS: dict[str, Any] = {"timeout": TIMEOUT_S, "max_attempts": MAX_ATTEMPTS}


@agent(name="teller", publishes=TOPIC, **_OPTIONS)
async def teller(script: list[str], *, ctx: TaskContext) -> Played:
    """Play a script and publish what came of it."""
    return await _play(script, ctx)


@agent(name="lean-teller", publishes=TOPIC, durability="lean", **_OPTIONS)
async def lean_teller(script: list[str], *, ctx: TaskContext) -> Played:
    """Record nothing but the result, and publish it."""
    return await _play(script, ctx)


@agent(name="durable-teller", publishes=TOPIC, durability="durable", **_OPTIONS)
async def durable_teller(script: list[str], *, ctx: TaskContext) -> Played:
    """Play a task that was recorded before, and publish what came of it."""
    return await _play(script, ctx)


@dataclass
class Heard:
    """What a subscriber's pieces gave, for the task whose result it heard of."""

    key: str
    result: list[Any]


@agent(name="hearer", topics=[TOPIC], publishes="left", **_OPTIONS)
async def hearer(key: str, script: list[str], result: list[Any], *, ctx: TaskContext) -> Heard:
    """Play what came of another's play."""
    return Heard(key=key, result=await play(script, ctx))


@agent(name="durable-hearer", topics=[TOPIC], publishes="right", durability="durable", **_OPTIONS)
async def durable_hearer(
    key: str, script: list[str], result: list[Any], *, ctx: TaskContext
) -> Heard:
    """Play what came of another's play, recorded before; for some, too late to be joined."""
    late = [f"sleep:{2 * WITHIN_S}"] if int(key[-1], 16) < _LATE_OF_16 else []
    return Heard(key=key, result=(await play([*script, *late], ctx))[: len(script)])


@agent(name="joiner", joins=["left", "right"], key="key", within=f"{WITHIN_S}s", **_OPTIONS)
async def joiner(
    key: str, left: Heard | None, right: Heard | None, *, ctx: TaskContext
) -> dict[str, Any]:
    """Tell what was joined."""
    await play(["step", "ok"], ctx)
    return {"left": left, "right": right}


PUBLISHERS: dict[str, AnyAgent] = {one.name: one for one in (teller, lean_teller, durable_teller)}
SUBSCRIBERS: dict[str, AnyAgent] = {one.name: one for one in (hearer, durable_hearer)}
PARTS = {"left": hearer.name, "right": durable_hearer.name}
"""By what a join has: whose result that is."""

_TOLD_OF: dict[str, AnyAgent] = {**AGENTS, **PUBLISHERS, **SUBSCRIBERS, joiner.name: joiner}
EVERYBODY: dict[str, AnyAgent] = {**_TOLD_OF, **LIMITED}


def agents_of(fault_plan: FaultPlan) -> dict[str, AnyAgent]:
    """Return the agents of a storm: events' and limited ones work where something is theirs."""
    if any(order.agent in PUBLISHERS for order in fault_plan.orders):
        return _TOLD_OF
    if any(order.agent in LIMITED for order in fault_plan.orders):
        return {**AGENTS, **LIMITED}
    return AGENTS
