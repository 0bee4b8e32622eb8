"""One bad message harms nobody else, and a message's claims are held against the record."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest
from memory_swarm import MemorySwarm
from poison import body_of, poisons

from sqswarm import Fail, Retry, TaskContext, agent
from sqswarm.backends.ports.bus import Outgoing, OutgoingDeadLetter
from sqswarm.dispatcher.lifecycle.answer import answer
from sqswarm.dispatcher.lifecycle.cancel import cancel
from sqswarm.dispatcher.lifecycle.dead_letters import read_dead_letter
from sqswarm.dispatcher.publish import publish
from sqswarm.dispatcher.submit import Request, submit
from sqswarm.schemas.agent_spec import Schedule
from sqswarm.schemas.errors import InvalidAgent, InvalidArguments, UsageError
from sqswarm.schemas.ids import derive_task_id
from sqswarm.schemas.lifecycle import Phase, Status
from sqswarm.schemas.message import decode
from sqswarm.schemas.naming import TASKS_TOPIC
from sqswarm.schemas.payload import ARGUMENTS, payload_key
from sqswarm.schemas.task import TaskRecord, task_key
from sqswarm.testing.memory_stage import NAMES

HALF = "\ud800"


async def misbehave(text, ctx):  # noqa: C901, PLR0912 - a table
    match text:
        case "nan":
            return {"score": math.nan}
        case "half":
            return {"a": HALF}
        case "deep":
            deep = []
            for _ in range(2000):
                deep = [deep]
            return deep
        case "itself":
            loop = {}
            loop["self"] = loop
            return loop
        case "raises half":
            raise ValueError(HALF)
        case "fails half":
            raise Fail(f"never {HALF}", type=HALF)
        case "fails at length":
            raise Fail("x" * 10**6, type="y" * 10**6)
        case "later":
            raise Retry(HALF, after=math.nan)
        case "much later":
            raise Retry(after=math.inf)
        case "exits":
            raise SystemExit(3)
        case "interrupts":
            raise KeyboardInterrupt
        case "asks at length":
            return await ctx.ask("key", "x" * 420_000, str)
        case "asks half":
            return await ctx.ask("key", HALF, str)
        case "asks under half":
            return await ctx.ask(HALF, "?", str)
        case "calls deep":
            deep = {}
            for _ in range(100):
                deep = {"text": deep}
            return await ctx.call("standard", **deep)
        case "calls in a session":
            return await ctx.gather(ctx.task("standard", text="x", session_id="s" * 5000))
        case "steps half":
            return await ctx.step("step", lambda: HALF)
        case "steps under half":
            return await ctx.step(HALF, lambda: 1)
        case "remembers half":
            return await ctx.session("s").append([{"role": HALF}])
        case "remembers at length":
            return await ctx.session("s").append([{"text": "x" * 420_000}])
        case "tells half":
            await ctx.progress(0.5, f"{HALF}{'x' * 10**6}")
    return text


ENDS = {
    "nan": "InvalidReturn",
    "half": "InvalidReturn",
    "deep": "InvalidReturn",
    "itself": "InvalidReturn",
    "raises half": "ValueError",
    "fails half": "?",
    "fails at length": "y" * 200,
    "later": "Retry",
    "much later": "Retry",
    "exits": "RuntimeError",
    "interrupts": "RuntimeError",
    "asks at length": "InvalidAsk",
    "asks half": "InvalidAsk",
    "asks under half": "InvalidAsk",
    "calls deep": "InvalidArguments",
    "calls in a session": "UsageError",
    "steps half": "InvalidStep",
    "steps under half": "InvalidStep",
    "remembers half": "InvalidSession",
    "remembers at length": "InvalidSession",
    "tells half": None,
}


@agent(timeout=5, max_attempts=2)
async def standard(text: str, *, ctx: TaskContext):
    return await misbehave(text, ctx)


@agent(timeout=5, max_attempts=2, durability="durable", topics=["words"])
async def durable(text: str, *, ctx: TaskContext):
    return await misbehave(text, ctx)


@agent(timeout=5, max_attempts=2, durability="lean")
async def lean(text: str, *, ctx: TaskContext):
    return await misbehave(text, ctx)


@agent(timeout=5, durability="lean")
def plain(text: str) -> str:
    if text == "exits":
        raise SystemExit(3)
    return text


@agent(timeout=20)
async def parent(texts: list[str], *, ctx: TaskContext) -> list[object]:
    return await ctx.map("durable", [{"text": text} for text in texts])


@agent(timeout=20)
async def asking(*, ctx: TaskContext) -> dict:
    return await ctx.ask("approve", "?", dict)


AGENTS = [standard, durable, lean, plain, parent, asking]
MODES = [standard, durable, lean]


@pytest.fixture
def memory():
    return MemorySwarm(*AGENTS)


async def send(memory, one, *bodies):
    sent = [
        Outgoing(id=f"m{n}", body=b, principal="p", agent=one.name) for n, b in enumerate(bodies)
    ]
    await memory.bus.publish(NAMES.topic(TASKS_TOPIC), sent)


async def nine_good(memory, one, spoil):
    """Submit nine good tasks, with `spoil` done after the fourth; return their ids."""
    ids = [await memory.submit(one, text=f"good {n}") for n in range(4)]
    await spoil()
    return ids + [await memory.submit(one, text=f"good {n}") for n in range(4, 9)]


async def check_unharmed(memory, one, ids):
    records = [await memory.record(task_id) for task_id in ids]
    assert {r.status for r in records} == {Status.COMPLETED}
    assert {r.attempt for r in records} == {0 if one is lean else 1}


async def reasons(memory, one):
    return [letter.attributes.get("reason") for letter in await memory.letters(one)]


@pytest.mark.parametrize("one", MODES, ids=lambda one: one.name)
@pytest.mark.parametrize("name", list(poisons("any")))
async def test_poison_leaves_its_neighbours_alone(memory, one, name):
    poison = poisons(one.name)[name]
    ids = await nine_good(memory, one, lambda: send(memory, one, poison.body))
    result = await memory.work(one)
    assert (len(result.delete), result.keep) == (10, [])
    await check_unharmed(memory, one, ids)
    [letter] = await memory.letters(one)
    assert (letter.attributes["reason"], letter.body) == (poison.reason, poison.body)
    assert len(memory.kept) == 9  # it has left no record


@pytest.mark.parametrize("one", MODES, ids=lambda one: one.name)
@pytest.mark.parametrize("text", list(ENDS))
async def test_an_agents_outcome_over_a_limit_is_its_own_tasks(memory, one, text):
    if one is lean and text.split()[0] in {"asks", "calls", "steps", "remembers"}:
        return  # a lean task has no journal
    bad = []

    async def spoil():
        bad.append(await memory.submit(one, text=text))

    ids = await nine_good(memory, one, spoil)
    await memory.work(one)
    await check_unharmed(memory, one, ids)
    memory.clock.advance(seconds=1000)
    await memory.settle_down()
    record = await memory.record(bad[0])
    if ENDS[text] is None:
        assert record.status is Status.COMPLETED
        return
    assert (record.status, record.error["data"]["type"]) == (Status.FAILED, ENDS[text])
    assert await reasons(memory, one) == [ENDS[text]]


async def test_a_plain_function_that_exits_ends_its_own_task_only(memory):
    bad = await memory.submit(plain, text="exits")
    good = await memory.submit(plain, text="good")
    for _ in range(4):
        await memory.work(plain)
        memory.clock.advance(seconds=1000)
    assert (await memory.record(good)).status is Status.COMPLETED
    assert (await memory.record(bad)).error["data"]["type"] == "RuntimeError"


async def test_arguments_that_fill_a_record_make_way_for_its_end(memory):
    """They came by a message straight to the queue; a result of 100 KB fits no more beside them."""
    filled, over = (
        body_of("standard", text=f'"{"x" * 390_000}"'),
        body_of("standard", text=f'"{"x" * 420_000}"'),
    )
    ids = await nine_good(memory, standard, lambda: send(memory, standard, filled))
    await send(memory, standard, over)
    await memory.settle_down()
    await check_unharmed(memory, standard, ids)
    record = TaskRecord.from_item(await memory.store.read(task_key("standard", decode(filled).id)))
    assert record.status is Status.COMPLETED
    assert record.result.ref
    assert await reasons(memory, standard) == ["not-storable"]


async def test_a_lean_task_of_any_size_keeps_its_result_and_no_arguments(memory):
    sent = body_of("lean", text=f'"{"x" * 420_000}"')
    await send(memory, lean, sent)
    await memory.settle_down()
    record = TaskRecord.from_item(await memory.store.read(task_key("lean", decode(sent).id)))
    assert (record.status, record.arguments) == (Status.COMPLETED, None)
    assert len(memory.blobs.objects[record.result.ref]) > 420_000


class TestClaims:
    async def test_a_forged_parent_ends_nobodys_wait(self, memory):
        task_id = await memory.submit(parent, texts=["a", "b"])
        await memory.work(parent)
        for v in ({}, {"v": "guess"}):
            await send(memory, standard, body_of("standard", parent=f"{task_id}#0", **v))
        await memory.work(standard)
        waiting = await memory.record(task_id)
        assert (waiting.phase, len(waiting.pending)) == (Phase.WAITING, 2)
        assert await reasons(memory, standard) == ["no-record", "no-record"]
        await memory.settle_down()
        assert (await memory.see(task_id)).result() == ["a", "b"]

    @pytest.mark.parametrize("fenced", [False, True], ids=["bare", "with-the-version"])
    @pytest.mark.parametrize(
        "claim",
        [
            {"principal": "mallory"},
            {"parent": "01a3185c-5000-78fb-809f-3af092547b40#0"},
            {"payload": "s3://memory/payloads/other/arguments.json"},
            {"session": "another"},
            {"ordering-key": "another"},
            {"deadline": "2001-01-01T00:00:00Z"},
            {"arguments": {"text": "other"}},
        ],
        ids=lambda claim: next(iter(claim)),
    )
    async def test_the_record_is_the_truth(self, memory, claim, fenced):
        task_id = await memory.submit(durable, text="mine")
        hint = {"v": (await memory.record(task_id)).v} if fenced else {}
        said = {"principal": "me", "arguments": {"text": "mine"}, **hint, **claim}
        forged = body_of("durable", task_id=task_id, **said)
        [true] = memory.waiting(durable)
        await memory.bus.delete(
            memory.queue(durable),
            [d.receipt for d in await memory.bus.receive(memory.queue(durable), limit=1, wait_s=0)],
        )
        await send(memory, durable, forged)
        await memory.work(durable)
        assert await reasons(memory, durable) == ["contradicts-record"]
        if not fenced:  # nothing was touched
            assert (await memory.record(task_id)).attempt == 0
        await memory.copy(durable, true)
        await memory.settle_down()
        seen = await memory.see(task_id)
        assert (seen.result(), seen.record.principal, seen.record.attempt) == ("mine", "me", 1)

    async def test_a_message_to_another_agent_cannot_run_its_task(self, memory):
        task_id = await memory.submit(durable, text="mine")
        forged = body_of("standard", task_id=task_id, principal="me", arguments={"text": "mine"})
        await send(memory, standard, forged)
        await memory.work(standard)
        assert (await memory.record(task_id)).attempt == 0
        await memory.settle_down()
        assert (await memory.see(task_id)).result() == "mine"

    async def test_a_payload_is_believed_under_the_tasks_own_key_only(self, memory):
        victim = await memory.submit(standard, text="x" * 60_000)
        theirs = memory.blobs.address(payload_key("standard", victim, ARGUMENTS))
        await send(memory, standard, body_of("standard", payload=theirs))
        await memory.settle_down()
        assert await reasons(memory, standard) == ["no-record"]
        assert (await memory.see(victim)).result() == "x" * 60_000

    async def test_an_idempotency_key_cannot_be_squatted_on(self, memory):
        squatted = derive_task_id("me\x00standard", "key", at_ms=0)
        await send(memory, standard, body_of("standard", task_id=squatted, principal="me"))
        await memory.settle_down()
        assert await reasons(memory, standard) == ["no-record"]
        task_id = await memory.submit(standard, {"idempotency_key": "key"}, text="mine")
        assert task_id == squatted
        await memory.settle_down()
        assert (await memory.see(task_id)).result() == "mine"

    async def test_nor_by_way_of_the_dead_letter_queue(self, memory):
        """SQS gave it up before any worker saw it: housekeeping must not record it either."""
        squatted = derive_task_id("me\x00standard", "key", at_ms=0)
        for body in (
            body_of("standard", task_id=squatted),
            body_of("standard", parent=f"{squatted}#0"),
        ):
            given_up = Outgoing(id="x", body=body, principal="p", agent="standard")
            await memory.bus.send(NAMES.dead_letter_queue("standard"), [given_up])
        await memory.housekeep()
        assert not memory.kept
        assert await reasons(memory, standard) == ["no-record", "no-record"]

    async def test_whoever_cancels_an_unseen_task_need_not_know_it(self, memory):
        task_id = await memory.submit(standard, text="mine")
        operator = memory.connection_for("operator", operator=True)
        await cancel(operator, task_id, agent="standard")
        await memory.settle_down()
        assert await reasons(memory, standard) == []


BAD = {
    "deep": ("deeper than 64 levels", lambda: nested(100)),
    "nan": (r"arguments\.items\[3\]\.name is not a finite number", lambda: item(math.nan)),
    "1e999": (r"arguments\.items\[3\]\.name is not a finite number", lambda: item(1e999)),
    "half": (r"arguments\.items\[3\]\.name holds a lone surrogate", lambda: item(HALF)),
}


class TestEntrances:
    """Refused before anything is written or published, with the place."""

    @pytest.fixture(params=list(BAD))
    def bad(self, request):
        why, make = BAD[request.param]
        return make(), why

    def untouched(self, memory):
        return not (memory.kept or any(memory.waiting(one) for one in AGENTS))

    async def test_submit_and_publish(self, memory, bad):
        arguments, why = bad
        for durable_too in (False, True):
            rows = ({"text": "good"}, arguments)
            requests = [Request(arguments=row, durable=durable_too) for row in rows]
            with pytest.raises(InvalidArguments, match=why):
                await submit(memory.connection, "standard", requests)
        with pytest.raises(InvalidArguments, match=why):
            await publish(memory.connection, "words", [arguments])
        assert self.untouched(memory)

    async def test_an_answer(self, memory, bad):
        task_id = await memory.submit(asking)
        await memory.work(asking)
        before = await memory.record(task_id)
        value, why = bad
        with pytest.raises(InvalidArguments, match=why.replace("arguments", "answer")):
            await answer(memory.connection, task_id, "approve", value)
        assert await memory.record(task_id) == before

    def test_a_schedule(self, bad):
        arguments, why = bad
        with pytest.raises(InvalidAgent, match=why):

            @agent(schedule=Schedule(expression="rate(1 hour)", arguments=arguments))
            async def daily(items: list) -> str:
                return ""

    @pytest.mark.parametrize("text", ["", "a\n", HALF, "\uffff", "x" * 1025])
    async def test_names(self, memory, text):
        for name in ("idempotency_key", "session_id"):
            with pytest.raises(UsageError, match=name.replace("_", " ")):
                await memory.submit(standard, {name: text}, text="x")
        with pytest.raises(UsageError, match="principal"):
            await submit(memory.connection_for(text), "standard", [Request(arguments={})])
        with pytest.raises(UsageError, match="event type"):
            await publish(memory.connection, "words", [{"text": "x"}], event_type=text)
        assert self.untouched(memory)


def nested(levels):
    inner = {}
    for _ in range(levels):
        inner = {"a": inner}
    return inner


def item(name):
    return {"items": [1, 2, 3, {"name": name}]}


class TestHousekeeping:
    async def test_letters_for_people_do_not_keep_the_others_from_being_seen(self, memory):
        queue = NAMES.dead_letter_queue("standard")
        for n in range(150):
            letter = OutgoingDeadLetter(body="{", reason="not-json", detail="", failed_at=str(n))
            await memory.bus.dead_letter(queue, letter, group=None)
        given_up = body_of("standard")
        await memory.bus.send(
            queue, [Outgoing(id="x", body=given_up, principal="p", agent="standard")]
        )
        await memory.housekeep(minutes=2)
        record = await memory.store.read(task_key("standard", decode(given_up).id))
        assert record["status"] == "completed"

    async def test_a_letter_that_breaks_the_sweep_holds_no_other(self, memory):
        queue = NAMES.dead_letter_queue("standard")
        broken, whole = body_of("standard"), body_of("standard")
        for body in (broken, whole):
            sent = Outgoing(id="x", body=body, principal="p", agent="standard")
            await memory.bus.send(queue, [sent])
        key = task_key("standard", decode(broken).id)
        memory.store.items[key] = {"pk": key.pk, "sk": key.sk, "status": "unheard of"}
        await memory.housekeep(minutes=2)
        read = await memory.store.read(task_key("standard", decode(whole).id))
        assert read["status"] == "completed"

    async def test_what_no_record_can_hold_gets_its_reason(self, memory):
        """SQS gave it up while no worker was there: a record would begin it anew."""
        for one in (standard, lean):
            body = body_of(one.name, text=f'"{"x" * 420_000}"')
            sent = Outgoing(id="x", body=body, principal="p", agent=one.name)
            await memory.bus.send(NAMES.dead_letter_queue(one.name), [sent])
        await memory.housekeep()
        assert await reasons(memory, standard) == ["not-storable"]
        assert await reasons(memory, lean) == ["not-storable"]
        assert not memory.kept

    async def test_a_record_that_cannot_be_read_holds_no_round(self, memory):
        bad = await memory.submit(durable, text="bad")
        good = await memory.submit(durable, text="good")
        deliveries = await memory.bus.receive(memory.queue(durable), limit=10, wait_s=0)
        await memory.bus.delete(memory.queue(durable), [d.receipt for d in deliveries])
        key = (await memory.record(bad)).key
        memory.store.items[key] = {**memory.store.items[key], "asks": "[" * 1000}
        await memory.housekeep(minutes=3)
        assert (await memory.see(good)).result() == "good"
        assert memory.store.items[key]["due_at"] > memory.clock.now_ms()

    async def test_an_attribute_of_a_letter_may_be_anything(self, memory):
        letter = OutgoingDeadLetter(body="{", reason="x", detail="", failed_at="y")
        await memory.bus.dead_letter(NAMES.dead_letter_queue("standard"), letter, group=None)
        [delivery] = await memory.letters(standard)
        forged = replace(delivery, attributes={**delivery.attributes, "attempts": "many"})
        assert read_dead_letter(forged, "standard").to_json()["attempts"] == 0
