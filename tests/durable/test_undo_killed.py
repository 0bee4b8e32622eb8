"""Undo over an emulator, in processes that kill themselves before, during and after every undo."""

from __future__ import annotations

import asyncio
import multiprocessing
import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest
from task_table import make_table

from sqswarm import Fail, TaskContext, agent
from sqswarm.backends.aws.caller import ThreadedCaller
from sqswarm.backends.aws.connect import backends, client_factory, settings_from_environment
from sqswarm.backends.log import Log
from sqswarm.backends.runner import AsyncRunner
from sqswarm.dispatcher.connection import Connection
from sqswarm.dispatcher.submit import Request, submit
from sqswarm.dispatcher.timeline import timeline
from sqswarm.dispatcher.view import view
from sqswarm.schemas.catalogue import CATALOGUE_KEY, Catalogue
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.timeline import SpanKind
from sqswarm.workers.runtime.batch import Runtime
from sqswarm.workers.runtime.worker_context import WorkerContext

pytestmark = [pytest.mark.localstack, pytest.mark.proof]

STEPS = ("reserve", "pay")
PATIENCE_S = 400


def die_once(folder, moment):
    """Kill this process, as the kernel does, the first time that it comes here."""
    mark = Path(folder) / f"killed {moment}"
    if not mark.exists():
        mark.touch()
        os.kill(os.getpid(), signal.SIGKILL)


def enter(folder, how, what):
    """Enter a key into the ledger once, however often it is asked for."""
    if how == "undo":
        die_once(folder, f"before {what}")
    mark = Path(folder) / f"{how} {what}"
    if not mark.exists():
        mark.touch()
        with (Path(folder) / "ledger").open("a") as ledger:
            ledger.write(f"{how} {what}\n")
    if how == "undo":
        die_once(folder, f"during {what}")
    return what


@agent(name="mortal", timeout=2, max_attempts=2)
async def mortal(folder: str, *, ctx: TaskContext) -> str:
    """Do something twice that has an undo, and fail."""
    for what in STEPS:
        undo = lambda done: enter(folder, "undo", done)  # noqa: E731 - as agents write it
        await ctx.step(what, enter, folder, "do", what, undo=undo)
    raise Fail("no room", type="NoRoom")


class MortalLog:
    """A log at each of whose lines that tells of an undone step the process dies once."""

    def __init__(self, folder):
        self.folder = folder

    def write(self, text):
        for what in STEPS:
            if "step.undone" in text and f"{what}#0" in text:
                die_once(self.folder, f"after {what}")

    def flush(self):
        """Keep nothing back."""


def connected():
    settings = replace(
        settings_from_environment(), stage="undo", account="000000000000", principal="me"
    )
    get = client_factory(settings)
    ports = backends(settings, ThreadedCaller(get), AsyncRunner())
    return get, Connection(
        names=ports.names,
        store=ports.store,
        bus=ports.bus,
        blobs=ports.blobs,
        runner=AsyncRunner(),
        catalogue=Catalogue.of([mortal.spec]),
        principal="me",
        ttl_s=1000,
    )


def work(folder):
    """Be a worker of the agent until somebody kills it."""
    asyncio.run(_work(folder))


async def _work(folder):
    _, connection = connected()
    connection = replace(connection, principal="mortal", operator=True, worker=True)
    log = Log.to(MortalLog(folder))
    runtime = Runtime(WorkerContext(agent=mortal, spec=mortal.spec, connection=connection, log=log))
    queue = connection.names.queue("mortal")
    while True:
        result = await runtime.handle(await connection.bus.receive(queue, limit=1, wait_s=1))
        await connection.bus.delete(queue, result.delete)


@pytest.fixture
def connection(emulator):
    get, connection = connected()
    names = connection.names
    make_table(get("dynamodb"), names)
    get("s3").create_bucket(Bucket=names.bucket)
    get("s3").put_object(
        Bucket=names.bucket, Key=CATALOGUE_KEY, Body=connection.catalogue.dump().encode()
    )
    topic = get("sns").create_topic(Name=names.topic("tasks"))["TopicArn"]
    get("sqs").create_queue(QueueName=names.dead_letter_queue("mortal"))
    get("sqs").create_queue(QueueName=names.queue("mortal"), Attributes={"VisibilityTimeout": "5"})
    get("sns").subscribe(
        TopicArn=topic,
        Protocol="sqs",
        Endpoint=f"arn:aws:sqs:us-east-1:000000000000:{names.queue('mortal')}",
        Attributes={"RawMessageDelivery": "true"},
    )
    return connection


async def test_each_undo_is_done_once_in_reverse_however_often_its_worker_is_killed(
    connection, tmp_path
):
    [task] = await submit(connection, "mortal", [Request(arguments={"folder": str(tmp_path)})])
    ends = time.monotonic() + PATIENCE_S
    spawning = multiprocessing.get_context("spawn")
    worker, kills = None, 0

    async def status():
        try:
            return (await view(connection, task.task_id)).status
        except Exception:
            return None  # no worker has recorded it yet

    try:
        while await status() is not Status.FAILED:
            assert time.monotonic() < ends
            if worker is None or not worker.is_alive():
                kills += worker is not None
                worker = spawning.Process(target=work, args=(str(tmp_path),), daemon=True)
                worker.start()
            await asyncio.sleep(0.2)
    finally:
        if worker is not None:
            worker.kill()
    ledger = (tmp_path / "ledger").read_text().splitlines()
    assert ledger == ["do reserve", "do pay", "undo pay", "undo reserve"]
    assert kills == 6
    seen = await view(connection, task.task_id)
    assert seen.record.error_type == "NoRoom"
    told = await timeline(connection, task.task_id)
    undone = [
        span.name
        for attempt in told.spans
        for span in attempt.children
        if span.kind is SpanKind.UNDO
    ]
    assert undone == ["pay", "reserve"]
