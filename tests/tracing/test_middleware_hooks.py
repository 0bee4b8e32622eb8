"""Middleware: hooks around submits, attempts, steps and batches, which can harm nobody."""

import asyncio
import contextvars
import json

import pytest
from memory_swarm import MemorySwarm

import sqswarm
from sqswarm import Fail, Middleware, Retry, TaskContext, agent
from sqswarm.dispatcher import middleware
from sqswarm.dispatcher.lifecycle.cancel import cancel
from sqswarm.dispatcher.lifecycle.redrive import redrive
from sqswarm.dispatcher.publish import publish
from sqswarm.schemas.baggage import baggage_entries, baggage_text

TENANT: contextvars.ContextVar[str] = contextvars.ContextVar("tenant", default="nobody")


class Notes(Middleware):
    """Keeps what it hears, in order."""

    def __init__(self):
        self.heard = []

    def before_submit(self, submission):
        self.heard.append(("before_submit", submission))

    async def after_submit(self, submission):
        await asyncio.sleep(0)
        self.heard.append(("after_submit", submission))

    async def before_attempt(self, attempt):
        self.heard.append(("before_attempt", attempt))

    def after_attempt(self, attempt):
        self.heard.append(("after_attempt", attempt))

    def before_step(self, step):
        self.heard.append(("before_step", step))

    async def after_step(self, step):
        self.heard.append(("after_step", step))

    def after_task(self, end):
        self.heard.append(("after_task", end))

    def after_batch(self, batch):
        self.heard.append(("after_batch", batch))

    def names(self):
        return [name for name, _ in self.heard]

    def events(self, name):
        return [event for heard, event in self.heard if heard == name]


@pytest.fixture
def add():
    added = []

    def add(one):
        sqswarm.add_middleware(one)
        added.append(one)
        return one

    yield add
    for one in added:
        sqswarm.remove_middleware(one)
    assert not any(middleware.heard(name) for name in middleware.HOOKS)


@agent(timeout=20, max_attempts=2)
async def greet(name: str, *, ctx: TaskContext) -> str:
    if name == "flaky" and ctx.attempt == 1:
        raise ConnectionError("once")
    if name == "never":
        raise Fail("no", type="Rude")
    return await ctx.step("write", lambda: f"{TENANT.get()} greets {name}")


@agent(timeout=20)
async def both(*, ctx: TaskContext) -> list[str]:
    return [await ctx.call("greet", name=name) for name in ("Ada", "Bo")]


@agent(timeout=20, topics=["names"])
async def listen(name: str) -> str:
    return name


async def test_hooks_are_called_around_what_they_are_about(add):
    notes = add(Notes())
    memory = MemorySwarm(greet)
    task_id = await memory.submit(greet, name="Ada")
    await memory.work(greet)
    assert notes.names() == [
        *("before_submit", "after_submit", "before_attempt", "before_step", "after_step"),
        *("after_attempt", "after_task", "after_batch"),
    ]
    [attempt] = notes.events("after_attempt")
    assert (attempt.task_id, attempt.agent, attempt.number) == (task_id, "greet", 1)
    assert attempt.outcome == "completed"
    assert attempt.created_ms <= attempt.ready_ms <= attempt.began_ms <= attempt.ended_ms
    [batch] = notes.events("after_batch")
    assert (batch.messages, batch.attempts, batch.left_s) == (1, [attempt], None)
    [step] = notes.events("after_step")
    assert (step.name, step.tries, step.exception) == ("write#0", 1, None)


async def test_an_outcome_is_told_once_it_is_recorded(add):
    notes = add(Notes())
    memory = MemorySwarm(greet, both)
    flaky, never = [await memory.submit(greet, name=name) for name in ("flaky", "never")]
    await memory.work(greet)
    memory.clock.advance(seconds=30)
    await memory.settle_down()
    told = [
        (one.task_id, one.number, one.outcome, one.error_type)
        for one in notes.events("after_attempt")
    ]
    assert set(told) == {
        (flaky, 1, "retried", "ConnectionError"),
        (never, 1, "failed", "Rude"),
        (flaky, 2, "completed", None),
    }
    raised = {one.task_id: one.exception for one in notes.events("after_attempt") if one.error_type}
    assert isinstance(raised[flaky], ConnectionError)
    assert raised[never].__traceback__ is not None
    assert [end.status for end in notes.events("after_task")] == ["failed", "completed"]


async def test_a_parent_suspends_and_what_travels_reaches_its_children(add):
    class Tenant(Middleware):
        def before_submit(self, submission):
            submission.baggage["tenant"] = "Ä & Söhne"

        def before_attempt(self, attempt):
            TENANT.set(attempt.baggage["tenant"])

    add(Tenant())
    notes = add(Notes())
    memory = MemorySwarm(greet, both)
    task_id = await memory.submit(both)
    await memory.settle_down()
    result = (await memory.see(task_id)).result()
    assert result == ["Ä & Söhne greets Ada", "Ä & Söhne greets Bo"]
    outcomes = [o.outcome for o in notes.events("after_attempt") if o.agent == "both"]
    assert outcomes == ["suspended", "suspended", "completed"]
    assert TENANT.get() == "nobody"  # each attempt has a context of its own


async def test_after_attempt_is_called_in_the_context_of_its_attempt(add):
    class Scope(Middleware):
        def __init__(self):
            self.tokens, self.reset = {}, 0

        def before_attempt(self, attempt):
            self.tokens[attempt] = TENANT.set("inside")

        async def after_attempt(self, attempt):
            TENANT.reset(self.tokens.pop(attempt))  # another context would be an error
            self.reset += 1

    scope = add(Scope())
    memory = MemorySwarm(greet)
    for name in ("Ada", "never", "flaky"):
        await memory.submit(greet, name=name)
    await memory.work(greet)
    assert scope.reset == 3
    assert not scope.tokens


@pytest.mark.parametrize("slow", [False, True], ids=["raises", "hangs"])
async def test_a_broken_hook_harms_no_task(add, monkeypatch, slow, caplog):
    monkeypatch.setattr(middleware, "_HOOK_S", 0.01)

    class Broken(Middleware):
        async def _break(self, _):
            if slow:
                await asyncio.Event().wait()
            raise RuntimeError("mine")

        before_submit = after_submit = before_attempt = after_attempt = _break
        before_step = after_step = after_task = after_batch = _break

    add(Broken())
    notes = add(Notes())
    memory = MemorySwarm(greet)
    task_id = await memory.submit(greet, name="Ada")
    await memory.work(greet)
    assert (await memory.see(task_id)).result() == "nobody greets Ada"
    assert len(notes.heard) == 8
    assert caplog.text.count("middleware.failed") == 8
    assert "Broken.before_step" in [record.fields["hook"] for record in caplog.records]


async def test_what_cannot_travel_is_left_out(add):
    class Greedy(Middleware):
        def before_submit(self, submission):
            submission.baggage["tenant"] = "x" * 3000
            submission.traceparent = "nonsense"

    add(Greedy())
    memory = MemorySwarm(greet)
    task_id = await memory.submit(greet, name="Ada")
    meta = json.loads(memory.waiting(greet)[0])["params"]["_meta"]
    assert "baggage" not in meta
    assert meta["traceparent"].startswith("00-")
    await memory.work(greet)
    assert (await memory.see(task_id)).record.status.terminal


async def test_events_redrives_and_cancels_are_told(add):
    notes = add(Notes())
    memory = MemorySwarm(greet, listen)
    [[event]] = await publish(memory.connection, "names", [{"name": "Ada"}])
    assert [s.event for s in notes.events("after_submit")] == [True]
    await memory.settle_down()
    assert [end.task_id for end in notes.events("after_task")] == [event.task_id]
    failed = await memory.submit(greet, name="never")
    await memory.settle_down()
    again = await redrive(memory.connection, failed, agent="greet")
    assert notes.events("after_submit")[-1].redriven_from == failed
    await cancel(memory.connection, again.task_id, agent="greet")
    assert notes.events("after_task")[-1].status == "cancelled"


async def test_a_task_whose_workers_were_lost_has_an_end_that_is_told(add):
    notes = add(Notes())
    memory = MemorySwarm(greet)
    task_id = await memory.submit(greet, {"durable": True}, name="Ada")
    worker = memory.worker(greet)
    from sqswarm.workers.runtime.acquire import acquire
    from sqswarm.workers.runtime.job import job_of

    for n in range(2):  # acquired, and never heard of again
        [delivery] = await memory.bus.receive(memory.queue(greet), limit=1, wait_s=0)
        await acquire(worker, [job_of(delivery, greet.spec, token=f"token-{n}")])
        memory.clock.advance(seconds=greet.spec.visibility_s + 1)
    await memory.housekeep(minutes=10)
    [end] = notes.events("after_task")
    assert (end.task_id, end.status, end.attempt, end.lost) == (task_id, "failed", 2, True)
    assert end.error_type == "WorkerLost"


async def test_a_submission_that_fails_says_why(add):
    notes = add(Notes())
    memory = MemorySwarm(greet)

    async def refuse(topic, messages):
        raise ConnectionError("no network")

    memory.bus.publish = refuse
    with pytest.raises(ConnectionError):
        await memory.submit(greet, name="Ada")
    assert isinstance(notes.events("after_submit")[0].error, ConnectionError)


async def test_retries_of_a_step_are_one_step(add):
    tries = []

    @agent(timeout=20)
    async def patient(*, ctx: TaskContext) -> int:
        def work() -> int:
            tries.append(1)
            if len(tries) < 3:
                raise Retry("later", after=0)
            return len(tries)

        return await ctx.step("work", work, retries=5)

    notes = add(Notes())
    memory = MemorySwarm(patient)
    await memory.submit(patient)
    await memory.work(patient)
    assert [step.tries for step in notes.events("after_step")] == [3]


def test_nothing_is_heard_where_nobody_wrote_the_hook(add):
    class Steps(Middleware):
        def after_step(self, step):
            pass

    add(Steps())
    assert middleware.heard("after_step")
    assert not middleware.heard("before_step", "before_attempt", "after_batch", "after_task")


def test_only_middleware_can_be_added():
    with pytest.raises(TypeError, match="subclass"):
        sqswarm.add_middleware(Notes)


def test_hooks_after_are_called_in_the_other_order(add):
    class One(Middleware):
        def __init__(self, name, calls):
            self.name, self.calls = name, calls

        def before_step(self, _):
            self.calls.append(f"before {self.name}")

        def after_step(self, _):
            self.calls.append(f"after {self.name}")

    calls = []
    add(One("a", calls)), add(One("b", calls))
    asyncio.run(middleware.tell("before_step", None))
    asyncio.run(middleware.tell("after_step", None))
    assert calls == ["before a", "before b", "after b", "after a"]


@pytest.mark.parametrize(
    "entries",
    [
        pytest.param({}, id="none"),
        pytest.param({"tenant": "acme", "plan": "a,b;c=d \\ 50%\nü"}, id="all-kinds"),
    ],
)
def test_baggage_travels_as_it_is(entries):
    text = baggage_text(entries)
    assert baggage_entries(text) == entries
    assert text is None or (text.isascii() and text.isprintable())


def test_baggage_of_others_is_read():
    # Source: W3C Baggage, "Examples".
    given = "userId=alice,serverNode=DF%2028,isProduction=false;ttl=1, =x,bad name=1"
    assert baggage_entries(given) == {
        "userId": "alice",
        "serverNode": "DF 28",
        "isProduction": "false",
    }
