"""Versions of the agents' functions: published by each deployment, and deleted when unneeded.

Messages go to the alias `live`. It is moved last: what does not start gets none of them, and what
fails as a canary no more than its share. What an old task needs is there until that has ended.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from botocore.exceptions import BotoCoreError, ClientError

from sqswarm.backends.aws.caller import ClientFactory, translated
from sqswarm.backends.runner import run_straight
from sqswarm.dispatcher.connection import Connection
from sqswarm.dispatcher.old_branches import under_way
from sqswarm.infra.resources import Topology
from sqswarm.schemas.agent_spec import Keeps
from sqswarm.schemas.naming import LIVE

_THREADS = 8
_T = TypeVar("_T")
LATEST = "$LATEST"
"""What an alias points at before anything is published."""
_FRESH_S = 300
"""How long Lambda may keep a message that was handed over, seconds; then SQS has it again."""


@dataclass(frozen=True, kw_only=True)
class Live:
    """Where an agent's messages go: `version`, and a share of them to `canary`."""

    version: str
    canary: str | None = None


def publish(topology: Topology, clients: ClientFactory) -> dict[str, str]:
    """Publish what the agents' functions are now; return each agent's version, by its name.

    A function that has not changed since it was published keeps that version.
    """
    client = clients("lambda")

    def one(function: str) -> str:
        client.get_waiter("function_updated").wait(FunctionName=function)
        version = str(client.publish_version(FunctionName=function)["Version"])
        client.get_waiter("published_version_active").wait(FunctionName=function, Qualifier=version)
        # What fails is not tried again by Lambda: its message is still in the queue.
        client.put_function_event_invoke_config(
            FunctionName=function,
            Qualifier=version,
            MaximumRetryAttempts=0,
            MaximumEventAgeInSeconds=_FRESH_S,
        )
        return version

    return _each(topology, one)


def live(topology: Topology, clients: ClientFactory) -> dict[str, Live]:
    """Return where each agent's messages go; raises NotDeployed where an alias is missing."""
    client = clients("lambda")

    def one(function: str) -> Live:
        alias = client.get_alias(FunctionName=function, Name=LIVE)
        weights = alias.get("RoutingConfig", {}).get("AdditionalVersionWeights") or {}
        return Live(version=alias["FunctionVersion"], canary=next(iter(weights), None))

    return _each(topology, one)


def move(
    topology: Topology,
    clients: ClientFactory,
    versions: Mapping[str, str],
    *,
    shares: Mapping[str, Mapping[str, float]] | None = None,
) -> None:
    """Let the messages of agents go to these versions; `shares` of them to others."""
    client = clients("lambda")
    names = {consumer.function.name: consumer.key for consumer in topology.versioned}

    def one(function: str) -> None:
        agent = names[function]
        if agent in versions:
            client.update_alias(
                FunctionName=function,
                Name=LIVE,
                FunctionVersion=versions[agent],
                RoutingConfig={"AdditionalVersionWeights": (shares or {}).get(agent, {})},
            )

    _each(topology, one)


def delete(topology: Topology, clients: ClientFactory, versions: Mapping[str, str]) -> None:
    """Delete one version of each agent that is named; what is in use or gone is let be."""
    client = clients("lambda")
    for consumer in topology.versioned:
        if consumer.key in versions:
            with suppress(ClientError):
                client.delete_function(
                    FunctionName=consumer.function.name, Qualifier=versions[consumer.key]
                )


def delete_unneeded(
    topology: Topology, clients: ClientFactory, connection: Connection
) -> tuple[str, ...]:
    """Delete the versions that no task needs; return what there is to say, as notes.

    The live version and the one before it stay, and what a task under way began with. Where there
    are more tasks under way than are looked through (old_branches.py), nothing is deleted.
    """
    client = clients("lambda")
    notes: list[str] = []
    for consumer in topology.versioned:
        function, spec = consumer.function.name, consumer.spec
        try:
            published = _published(client, function)
            now = client.get_alias(FunctionName=function, Name=LIVE)["FunctionVersion"]
        except (ClientError, BotoCoreError) as error:
            raise translated(error, "lambda") from error
        before = [number for number in published if str(number) != now]
        old = {str(number) for number in before[:-1]}
        if not old:
            continue
        needed: dict[str, int] = {}
        if spec is not None and Keeps.JOURNAL in spec.keeps:
            records, more = run_straight(under_way(connection, consumer.key))
            if more:
                notes.append(
                    f"{consumer.key}: {len(old)} old versions stay, too many tasks are under way"
                )
                continue
            for record in records:
                if record.code in old:
                    needed[record.code] = needed.get(record.code, 0) + 1
        for version in sorted(old - needed.keys(), key=int):
            with suppress(ClientError):  # somebody has pointed at it, or was quicker
                client.delete_function(FunctionName=function, Qualifier=version)
        for version in sorted(needed, key=int):
            tasks = "1 task" if needed[version] == 1 else f"{needed[version]:,} tasks"
            notes.append(f"{consumer.key}: version {version} stays for {tasks} under way")
    return tuple(notes)


def _published(client: Any, function: str) -> list[int]:
    """Return the numbers of a function's versions, in their order."""
    pages = client.get_paginator("list_versions_by_function").paginate(FunctionName=function)
    found = [one["Version"] for page in pages for one in page["Versions"]]
    return sorted(int(version) for version in found if version != LATEST)


def _each(topology: Topology, do: Callable[[str], _T]) -> dict[str, _T]:
    def one(function: str) -> _T:
        try:
            return do(function)
        except (ClientError, BotoCoreError) as error:
            raise translated(error, "lambda") from error

    functions = [consumer.function.name for consumer in topology.versioned]
    with ThreadPoolExecutor(_THREADS) as pool:
        done = pool.map(one, functions)
        return {consumer.key: made for consumer, made in zip(topology.versioned, done, strict=True)}
