"""Service: one process that works for some agents until it is told to stop."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import socket
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from sqswarm.backends.aws.caller import AioCaller
from sqswarm.backends.aws.connect import client_options, identify
from sqswarm.backends.log import Log
from sqswarm.backends.runner import AsyncRunner, attempt
from sqswarm.dispatcher.connection import connect, open_connection
from sqswarm.dispatcher.middleware import remove_middleware
from sqswarm.dispatcher.pause import read_paused
from sqswarm.dispatcher.tracing import flush_traces, start_tracing
from sqswarm.schemas.settings import Settings
from sqswarm.workers.agent import AnyAgent
from sqswarm.workers.hosts.container.poller import Poller
from sqswarm.workers.hosts.housekeeping import run_housekeeping
from sqswarm.workers.metrics import add_metrics, emf_metrics
from sqswarm.workers.runtime.worker_context import WorkerContext

GRACE_S = 20.0
"""ECS gives a container 30 s between SIGTERM and SIGKILL (Amazon ECS, "stopTimeout")."""

_HOUSE_S = 60.0
_BEAT_S = 5.0
_PAUSES_S = 15.0
_SILENT_S = 60.0
_KILLED = 130


@dataclass(frozen=True, kw_only=True)
class WorkerOptions:
    """How to work. `slots` is the most tasks of one agent at a time (None: its concurrency).

    `grace_s` is how long a stopping worker lets tasks finish, seconds. `health_file` is touched
    every few seconds while SQS answers.
    """

    slots: int | None = None
    grace_s: float = GRACE_S
    housekeeping: bool = False
    health_file: Path | None = None


async def work(
    settings: Settings, agents: Mapping[str, AnyAgent], options: WorkerOptions, *, log: Log
) -> bool:
    """Work until SIGTERM or SIGINT, then drain; a second signal ends the process at once.

    Returns False where a plain function hangs past its time-out in a thread that nothing can stop:
    the process should be ended and started anew. Raises Unreachable or NotDeployed where there is
    no swarm to work for.
    """
    import aioboto3

    start_tracing(os.environ, log=log)
    stopping = asyncio.Event()
    add_metrics(settings.stage, os.environ)
    caller = AioCaller(aioboto3.Session(), lambda service: client_options(settings, service))
    try:
        pollers = await _pollers(settings, caller, agents, options)
        _heed_signals(stopping, log)
        log.info("worker.started", agents=list(agents), slots={
            p.worker.spec.name: options.slots or p.worker.spec.concurrency for p in pollers
        })  # fmt: skip
        await _heed_pauses(pollers)
        background = [
            asyncio.create_task(_be_seen(pollers, options.health_file)),
            asyncio.create_task(_keep_heeding_pauses(pollers)),
        ]
        if options.housekeeping:
            background.append(asyncio.create_task(_keep_house(settings, caller)))
        try:
            await _run(pollers, stopping, options.grace_s)
        finally:
            for task in background:
                task.cancel()
    finally:
        await caller.close()
        await flush_traces()
        remove_middleware(emf_metrics(settings.stage))
    log.info("worker.stopped")
    return not any(poller.runtime.hung for poller in pollers)


async def _pollers(
    settings: Settings,
    caller: AioCaller,
    agents: Mapping[str, AnyAgent],
    options: WorkerOptions,
) -> list[Poller]:
    known = await identify(settings, caller)
    told = await _told(known, caller)
    workers = [
        WorkerContext(
            agent=agent,
            spec=agent.spec,
            connection=connect(
                known, caller, AsyncRunner(), principal=name, operator=True, worker=True
            ),
            log=Log.of_agent(name),
            name=f"{socket.gethostname()[:40]}/{os.getpid()}",
            tells=name in told,
        )
        for name, agent in agents.items()
    ]
    return [Poller(one, slots=options.slots or one.spec.concurrency) for one in workers]


async def _told(settings: Settings, caller: AioCaller) -> frozenset[str]:
    """Return the agents of whose tasks somebody is told; none where nothing is deployed yet."""
    asks = connect(settings, caller, AsyncRunner(), principal="", operator=True, worker=True)
    catalogue = await attempt(asks.with_catalogue())
    if isinstance(catalogue, Exception):
        return frozenset()
    agents = catalogue.catalogue.agents
    return frozenset(name for name, entry in agents.items() if entry.notify)


async def _run(pollers: list[Poller], stopping: asyncio.Event, grace_s: float) -> None:
    """Work for all agents; what ends one of them ends all."""
    running = [asyncio.create_task(one.run(stopping, grace_s=grace_s)) for one in pollers]
    await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
    stopping.set()
    for ended in await asyncio.gather(*running, return_exceptions=True):
        if isinstance(ended, BaseException):
            raise ended


def _heed_signals(stopping: asyncio.Event, log: Log) -> None:
    def stop(number: signal.Signals) -> None:
        if stopping.is_set():
            log.error("worker.killed", signal=number.name)
            os._exit(_KILLED)
        log.info("worker.draining", signal=number.name)
        stopping.set()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop, number)


async def _keep_heeding_pauses(pollers: list[Poller]) -> None:
    while True:
        await asyncio.sleep(_PAUSES_S)
        await _heed_pauses(pollers)


async def _heed_pauses(pollers: list[Poller]) -> None:
    """Look who is paused; where nobody answers, all goes on as it was."""
    worker = pollers[0].worker
    try:
        paused = await read_paused(worker.connection)
    except Exception as error:
        worker.log.warning("pauses.unknown", error=repr(error))
        return
    for poller in pollers:
        poller.pause(paused=poller.worker.spec.name in paused)


async def _be_seen(pollers: list[Poller], file: Path | None) -> None:
    """Touch the health file while every poller hears from SQS, or has its hands full."""
    while file is not None:
        if all(p.busy or p.silent_s < _SILENT_S for p in pollers):
            with contextlib.suppress(OSError):
                file.touch()  # noqa: ASYNC240 - one inode, on a local disk
        await asyncio.sleep(_BEAT_S)


async def _keep_house(settings: Settings, caller: AioCaller) -> None:
    """Do a round of housekeeping every minute, with the catalogue as it is then."""
    log = Log.of_agent("housekeeping")
    while True:
        try:
            connection = await open_connection(settings, caller, AsyncRunner(), operator=True)
            await run_housekeeping(connection, log)
        except Exception as error:
            log.error("housekeeping.failed", error=repr(error))
        await asyncio.sleep(_HOUSE_S)
