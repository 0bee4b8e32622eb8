"""The agents of the storms with events: some publish what they played, others hear of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from simulation.agents import AGENTS, MAX_ATTEMPTS, TIMEOUT_S, play
from simulation.fault_plan import FaultPlan
from sqswarm import TaskContext, agent
from sqswarm.workers.agent import AnyAgent

TOPIC = "played"


@dataclass
class Played:
    """What a publisher's pieces gave, and what its subscribers are to play."""

    script: list[str]
    result: list[Any]


async def _play(script: list[str], ctx: TaskContext) -> Played:
    return Played(script=["step", "ok"], result=await play(script, ctx))


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


@agent(name="hearer", topics=[TOPIC], **_OPTIONS)
async def hearer(script: list[str], result: list[Any], *, ctx: TaskContext) -> list[Any]:
    """Play what came of another's play."""
    return await play(script, ctx)


@agent(name="durable-hearer", topics=[TOPIC], durability="durable", **_OPTIONS)
async def durable_hearer(script: list[str], result: list[Any], *, ctx: TaskContext) -> list[Any]:
    """Play what came of another's play, recorded before."""
    return await play(script, ctx)


PUBLISHERS: dict[str, AnyAgent] = {one.name: one for one in (teller, lean_teller, durable_teller)}
SUBSCRIBERS: dict[str, AnyAgent] = {one.name: one for one in (hearer, durable_hearer)}


EVERYBODY: dict[str, AnyAgent] = {**AGENTS, **PUBLISHERS, **SUBSCRIBERS}


def agents_of(fault_plan: FaultPlan) -> dict[str, AnyAgent]:
    """Return the agents of a storm: only one that orders events has theirs."""
    if any(order.agent in PUBLISHERS for order in fault_plan.orders):
        return EVERYBODY
    return AGENTS
