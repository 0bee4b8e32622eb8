"""The same waits over real SNS, SQS, DynamoDB and S3, as an emulator has them."""

import asyncio
import io
import time
from dataclasses import replace
from secrets import token_hex

import pytest
from task_table import make_table

from sqswarm import ChildFailed, Fail, Limit, StepFailed, TaskContext, agent
from sqswarm.backends.aws.caller import ThreadedCaller
from sqswarm.backends.aws.connect import backends, client_factory, settings_from_environment
from sqswarm.backends.log import Log
from sqswarm.backends.runner import AsyncRunner
from sqswarm.dispatcher.connection import Connection
from sqswarm.dispatcher.lifecycle.answer import answer
from sqswarm.dispatcher.lifecycle.dead_letter_sweep import DeadLetterSweeper
from sqswarm.dispatcher.lifecycle.send import send
from sqswarm.dispatcher.lifecycle.sweep import Housekeeper
from sqswarm.dispatcher.submit import Request, submit
from sqswarm.dispatcher.view import view
from sqswarm.schemas.catalogue import CATALOGUE_KEY, Catalogue
from sqswarm.schemas.errors import TaskEnded, TaskNotFound
from sqswarm.schemas.lifecycle import Status
from sqswarm.workers.runtime.batch import Runtime
from sqswarm.workers.runtime.worker_context import WorkerContext

pytestmark = pytest.mark.localstack

STEPS: list[str] = []
RUNNING: list[str] = []


@agent(timeout=20)
async def square(n: int) -> int:
    if n == 13:
        raise Fail("unlucky", type="Unlucky")
    return n * n


@agent(timeout=20)
async def everything(width: int, *, ctx: TaskContext) -> list[int]:
    async def note(what: str) -> str:
        STEPS.append(what)
        if what == "broken":
            raise ConnectionError(what)
        return what

    notes = await asyncio.gather(*(ctx.step("note", note, f"note {n}") for n in range(4)))
    try:
        await ctx.step("broken", note, "broken")
    except StepFailed:
        notes.append("mended")
    squares = await ctx.map("square", [{"n": n} for n in range(width)], return_exceptions=True)
    ok = await ctx.ask("ok", "Go on?", bool)
    await ctx.sleep(3)
    total = sum(0 if isinstance(s, ChildFailed) else s for s in squares)
    return [len(notes), total, int(ok)]


@agent(timeout=20, rate="60/minute", batch=10)
async def paced(n: int) -> int:
    return n


@agent(timeout=20, limit=Limit(1, per="who"))
async def narrow(who: str) -> int:
    RUNNING.append(who)
    beside = RUNNING.count(who)
    await asyncio.sleep(0.3)
    RUNNING.remove(who)
    return beside


@agent(timeout=20, durability="durable")
async def told(*, ctx: TaskContext) -> list[int]:
    await ctx.expose({"received": 0})
    first = await ctx.receive("number", int)
    await ctx.expose({"received": 1})
    return [first, await ctx.receive("number", int)]


AGENTS = (square, everything, paced, narrow, told)


@pytest.fixture
def swarm(emulator):
    """A connection and a runtime for each agent, over resources made here."""
    settings = replace(
        settings_from_environment(),
        stage=f"durable-{token_hex(2)}",
        account="000000000000",
        principal="me",
    )
    get = client_factory(settings)
    ports = backends(settings, ThreadedCaller(get), AsyncRunner())
    make_resources(get, ports.names)
    catalogue = Catalogue.of(one.spec for one in AGENTS)
    get("s3").put_object(
        Bucket=ports.names.bucket, Key=CATALOGUE_KEY, Body=catalogue.dump().encode()
    )
    connection = Connection(
        names=ports.names,
        store=ports.store,
        bus=ports.bus,
        blobs=ports.blobs,
        runner=AsyncRunner(),
        catalogue=catalogue,
        principal="me",
        ttl_s=1000,
    )
    log = io.StringIO()
    runtimes = {
        one.name: Runtime(
            WorkerContext(
                agent=one,
                spec=one.spec,
                connection=replace(connection, principal=one.name, operator=True, worker=True),
                log=Log.to(log),
            )
        )
        for one in AGENTS
    }
    return connection, runtimes, log


def make_resources(get, names):
    make_table(get("dynamodb"), names)
    get("s3").create_bucket(Bucket=names.bucket)
    topic = get("sns").create_topic(Name=names.topic("tasks"))["TopicArn"]
    for one in AGENTS:
        get("sqs").create_queue(QueueName=names.dead_letter_queue(one.name))
        get("sqs").create_queue(QueueName=names.queue(one.name))
        get("sns").subscribe(
            TopicArn=topic,
            Protocol="sqs",
            Endpoint=f"arn:aws:sqs:us-east-1:000000000000:{names.queue(one.name)}",
            Attributes={
                "RawMessageDelivery": "true",
                "FilterPolicy": f'{{"agent": ["{one.name}"]}}',
            },
        )


async def work_until(swarm, done, *, seconds=60):
    connection, runtimes, log = swarm
    ends = time.monotonic() + seconds
    while not await done():
        assert time.monotonic() < ends, log.getvalue()[-4000:]
        await asyncio.gather(*(_one_batch(connection, name, r) for name, r in runtimes.items()))


async def _one_batch(connection, name, runtime):
    queue = connection.names.queue(name)
    deliveries = await connection.bus.receive(queue, limit=10, wait_s=0)
    result = await runtime.handle(deliveries)
    if result.delete:
        await connection.bus.delete(queue, result.delete)
    await asyncio.sleep(0.05)


async def test_a_task_waits_for_children_people_and_time(swarm):
    connection, _, log = swarm
    STEPS.clear()
    [task] = await submit(connection, "everything", [Request(arguments={"width": 120})])

    async def is_at(*statuses):
        try:
            return (await view(connection, task.task_id)).status in statuses
        except Exception:
            return False

    await work_until(swarm, lambda: is_at(Status.INPUT_REQUIRED, Status.FAILED))
    seen = await view(connection, task.task_id)
    assert seen.status is Status.INPUT_REQUIRED, seen.record.error
    assert await answer(connection, task.task_id, "ok", value=True) is Status.WORKING
    await work_until(swarm, lambda: is_at(Status.COMPLETED, Status.FAILED))
    seen = await view(connection, task.task_id)
    expected = sum(n * n for n in range(120)) - 169
    assert seen.result() == [5, expected, 1]
    assert sorted(STEPS) == ["broken", *(f"note {n}" for n in range(4))]
    assert "ERROR" not in log.getvalue()
    keeper = Housekeeper(replace(connection, operator=True), Log.to(log))
    swept = await keeper.sweep()
    assert (swept.republished, swept.failed, swept.broken) == (0, 0, 0)
    assert await DeadLetterSweeper(connection, Log.to(log), keeper).sweep() == {}

    # A rate holds over the same table.
    start = time.monotonic()
    made = await submit(connection, "paced", [Request(arguments={"n": n}) for n in range(10)])

    async def all_ended():
        views = await asyncio.gather(
            *(view(connection, one.task_id) for one in made), return_exceptions=True
        )
        return all(getattr(v, "status", None) is Status.COMPLETED for v in views)

    await work_until(swarm, all_ended)
    assert time.monotonic() - start > 3


async def test_signals_reach_a_task_before_and_while_it_waits(swarm):
    connection, _, log = swarm
    [task] = await submit(connection, "told", [Request(arguments={})])
    task_id = task.task_id
    await send(connection, task_id, "number", 1, idempotency_key="1")
    await send(connection, task_id, "number", 1, idempotency_key="1")

    async def waits():
        return (await view(connection, task_id)).record.received_topics == ["number"]

    await work_until(swarm, waits)
    assert (await view(connection, task_id)).record.exposed == {"received": 1}
    assert await send(connection, task_id, "number", 2) is Status.WORKING

    async def ended():
        return (await view(connection, task_id)).status.terminal

    await work_until(swarm, ended)
    assert (await view(connection, task_id)).result() == [1, 2]
    with pytest.raises(TaskEnded):
        await send(connection, task_id, "number", 3)
    assert "ERROR" not in log.getvalue()


async def test_many_who_send_at_once_are_each_heard_once(swarm):
    connection, _, _ = swarm
    [task] = await submit(connection, "told", [Request(arguments={})])
    await asyncio.gather(
        *(send(connection, task.task_id, "other", n, idempotency_key=str(n)) for n in range(12))
    )
    answers = (await view(connection, task.task_id)).record.answers
    assert sorted(one["value"] for one in answers.values()) == list(range(12))


async def test_tasks_of_one_key_run_one_at_a_time(swarm):
    connection, _, log = swarm
    requests = [Request(arguments={"who": who}) for who in ("a", "b", "a", "b")]
    ids = [task.task_id for task in await submit(connection, "narrow", requests)]

    async def are_done():
        try:
            seen = [await view(connection, one) for one in ids]
        except TaskNotFound:
            return False
        return all(one.status is Status.COMPLETED for one in seen)

    await work_until(swarm, are_done)
    assert [(await view(connection, one)).result() for one in ids] == [1] * 4
    assert "slot.awaited" in log.getvalue()
    assert "ERROR" not in log.getvalue()
