"""What agents publish is checked against who gets it, before anything is deployed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from graphlib import CycleError, TopologicalSorter

from sqswarm.infra.schema_fit import misfits
from sqswarm.schemas.agent_spec import AgentSpec
from sqswarm.schemas.errors import InvalidAgent
from sqswarm.schemas.join import part_schema

_SHOWN = 5


def check_publishing(specs: Iterable[AgentSpec]) -> None:
    """Raise InvalidAgent where results could not be events: for nobody, unfit, or for ever."""
    stage = {spec.name: spec for spec in specs}
    for spec in stage.values():
        if spec.publishes is not None and not listeners(spec, stage):
            raise _nobody(spec, stage)
    check_fit(stage.values())
    _check_circles(stage)


def check_fit(specs: Iterable[AgentSpec]) -> None:
    """Raise InvalidAgent where a subscriber would refuse what an agent publishes."""
    stage = {spec.name: spec for spec in specs}
    for spec in stage.values():
        for listener in listeners(spec, stage):
            found = _misfits(spec, listener)
            if found:
                more = f", and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
                message = (
                    f"agent {spec.name!r} publishes to {spec.publishes!r} what the agent "
                    f"{listener.name!r} does not take: {'; '.join(found[:_SHOWN])}{more}"
                )
                raise InvalidAgent(
                    message,
                    hint=f"What {spec.name!r} returns are the arguments of {listener.name!r}: "
                    "give both the same names and types, or arguments a default.",
                )


def _misfits(publisher: AgentSpec, listener: AgentSpec) -> list[str]:
    given, topic, join = publisher.output_schema or {}, str(publisher.publishes), listener.joins
    if join is None or topic not in join.topics:
        return misfits(given, listener.input_schema)
    found = misfits(given, part_schema(listener.input_schema, topic))
    if join.key in given.get("required", ()):
        return found
    return [f"the key {join.key} is missing", *found]


def listeners(publisher: AgentSpec, stage: Mapping[str, AgentSpec]) -> list[AgentSpec]:
    """Return the agents that get what one publishes."""
    return [one for one in stage.values() if one.hears(publisher.publishes)]


def _nobody(spec: AgentSpec, stage: Mapping[str, AgentSpec]) -> InvalidAgent:
    topics = {s.topic for one in stage.values() for s in one.subscriptions}
    if spec.publishes in topics:
        message = (
            f"agent {spec.name!r} publishes to {spec.publishes!r}, and each subscriber of it asks "
            "for types: results have none"
        )
        return InvalidAgent(message, hint="Subscribe one agent to the topic without types.")
    near = get_close_matches(str(spec.publishes), topics, n=3)
    return InvalidAgent(
        f"agent {spec.name!r} publishes to {spec.publishes!r}, and no agent subscribes to that",
        hint=f"Did you mean {' or '.join(near)}?"
        if near
        else f"Subscribe one: @agent(topics=[{spec.publishes!r}]).",
    )


def _check_circles(stage: Mapping[str, AgentSpec]) -> None:
    """Each result would be another's task, and so on for ever."""
    order: TopologicalSorter[str] = TopologicalSorter()
    for spec in stage.values():
        for listener in listeners(spec, stage):
            order.add(listener.name, spec.name)
    try:
        order.prepare()
    except CycleError as error:
        names = " → ".join(error.args[1])
        raise InvalidAgent(
            f"agents publish for one another in a circle, which never ends: {names}",
            hint="Let one of them publish to another topic, or to none.",
        ) from error
