"""Parts: where one stack does not hold a stage, which of its stacks each agent is in.

The first has what the stage shares, and agents while there is room. An agent never moves from one
stack to another: its queue would be made anew on the way.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from troposphere import AWSObject

from sqswarm.infra.resources import Consumer, Topology
from sqswarm.infra.template.alarms import alarms
from sqswarm.infra.template.functions import worker
from sqswarm.infra.template.limits import RESOURCE_LIMIT
from sqswarm.infra.template.messaging import mail
from sqswarm.schemas.agent_spec import Hosting

ROOM = 440
"""Resources to which new agents fill a stack that is one of several: those that are in it may get
topics, and the first schedules, without a way out."""

Places = tuple[tuple[str, ...], ...]
"""The names of the agents of each stack, the stage's first one before the others."""


def own_resources(consumer: Consumer, topology: Topology) -> Iterator[AWSObject]:
    """Yield what a consumer has for itself, and nobody else refers to by its logical id."""
    yield from mail(consumer, topology.names)
    yield from alarms(consumer, topology)
    if consumer.spec is None or consumer.spec.runs_on is not Hosting.CONTAINER:
        yield from worker(consumer, topology)


def places(
    sizes: Mapping[str, int],
    shared: int,
    *,
    at_first: Iterable[str] = (),
    standing: Sequence[Sequence[str]] = (),
) -> Places:
    """Return which agents are in which stack.

    `sizes` are the resources of each agent, `shared` those of the stage itself, `at_first` the
    agents that belong beside those, and `standing` is where agents are deployed.
    """
    where = {name: n for n, names in enumerate(standing) for name in names if name in sizes}
    where = dict.fromkeys(at_first, 0) | where
    if not any(where.values()) and shared + sum(sizes.values()) <= RESOURCE_LIMIT:
        return (tuple(sizes),)
    used = [shared] + [0] * (max(len(standing), 1) - 1)
    for name, n in where.items():
        used[n] += sizes[name]
    for name in (name for name in sizes if name not in where):
        fits = (n for n, size in enumerate(used) if size + sizes[name] <= ROOM)
        n = next(fits, len(used))
        if n == len(used):
            used.append(0)
        where[name] = n
        used[n] += sizes[name]
    last = max(where.values())
    return tuple(tuple(name for name in sizes if where[name] == n) for n in range(last + 1))
