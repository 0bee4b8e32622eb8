"""Hypothesis draws storms, so that a broken law comes with the smallest storm that breaks it."""

from __future__ import annotations

from hypothesis import strategies as st

from simulation.fault_plan import Accident, Aim, Fault, FaultPlan, Misfortune, Mishap, Order
from simulation.scripts import child
from simulation.workload import (
    ASKS,
    DEADLY,
    OPERATIONS,
    PAUSING,
    RECEIVES,
    SIMPLE,
    UNDOS,
    WAITS,
    poison_for,
)

AGENTS = st.sampled_from(["standard", "durable", "container", "lean"])
sizes = st.sampled_from([0.0, 0.2, 0.4, 0.7, 1.0])
simple = st.sampled_from(list(dict.fromkeys(SIMPLE + DEADLY)))
pieces = st.one_of(simple, st.sampled_from(WAITS + ASKS + RECEIVES + UNDOS))


@st.composite
def children(draw):
    made = draw(st.lists(st.tuples(AGENTS, pieces), min_size=1, max_size=4))
    return "children " + " ".join(child(agent, [piece]) for agent, piece in made)


@st.composite
def orders(draw):
    agent = draw(AGENTS)
    kinds = simple if agent == "lean" else st.one_of(pieces, children())
    return Order(
        agent=agent,
        script=tuple(draw(st.lists(kinds, min_size=1, max_size=3))),
        durable=agent == "durable",
        key=draw(st.sampled_from([None, None, "key"])) if agent == "durable" else None,
        cancel_after_s=draw(st.sampled_from([None, None, None, 0, 5, 60])),
    )


def distinct(made, limit):
    return st.lists(made, max_size=limit, unique_by=lambda one: one.at).map(
        lambda found: tuple(sorted(found, key=lambda one: one.at))
    )


@st.composite
def storms(draw):
    """Draw a storm of up to two orders and a dozen things that go wrong."""
    misfortunes = st.builds(
        Misfortune, at=st.integers(0, 80), what=st.sampled_from(list(Fault)), size=sizes
    )
    aims = st.builds(
        Aim,
        on=st.sampled_from(OPERATIONS + PAUSING),
        nth=st.integers(0, 3),
        what=st.sampled_from(list(Fault)),
        size=sizes,
    )
    accidents = st.builds(
        Accident, at=st.integers(0, 10), what=st.sampled_from(list(Mishap)), size=sizes
    )
    return FaultPlan(
        seed=draw(st.integers(0, 99)),
        orders=tuple(draw(st.lists(orders(), min_size=1, max_size=2))),
        misfortunes=draw(distinct(misfortunes, 12)),
        aims=tuple(draw(st.lists(aims, max_size=3))),
        accidents=draw(distinct(accidents, 3)),
        early=tuple(sorted(draw(st.sets(st.integers(0, 10), max_size=3)))),
        receives=draw(st.sampled_from([None, None, 1, 2])),
        pauses=draw(st.booleans()),
    )


@st.composite
def poisoned(draw):
    """Draw good tasks of one agent, and poison among them: nothing else goes wrong."""
    agent = draw(AGENTS)
    order = Order(agent=agent, script=("ok",), durable=agent == "durable")
    poison = draw(st.lists(st.sampled_from(poison_for(agent)), min_size=1, max_size=5, unique=True))
    return FaultPlan(
        seed=draw(st.integers(0, 99)),
        orders=(order,) * draw(st.integers(1, 9)),
        poison=tuple(poison),
    )
