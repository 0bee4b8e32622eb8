"""Sessions: ordered, atomic, trimmed, and of one principal only."""

import asyncio

import pytest
from asking import ask

from sqswarm import ClaudeAgent, TaskContext, agent
from sqswarm.schemas.session import BYTES_LIMIT, History
from sqswarm.schemas.writes import Refused

MODEL = "claude-sonnet-5-5"


def said(text):
    return [{"role": "user", "content": text}]


@agent(timeout=20)
async def chat(text: str, name: str = "s", *, ctx: TaskContext) -> list:
    session = ctx.session(name)
    past = await session.messages()
    await ctx.step("think", asyncio.sleep, 0)
    await session.append([*said(text), {"role": "assistant", "content": f"you said {text}"}])
    return [message["content"] for message in past]


async def talk(memory, text, principal="me", **session):
    connection = memory.connection_for(principal)
    from sqswarm.dispatcher.submit import Request, submit

    [task] = await submit(connection, "chat", [Request(arguments={"text": text, **session})])
    await memory.settle_down()
    return (await memory.see_as(connection, task.task_id)).result()


@pytest.fixture
def talking(memory):
    from sqswarm.dispatcher.view import view

    one = memory(chat)
    one.see_as = view
    return one


async def test_what_was_said_is_there_the_next_time(talking):
    assert await talk(talking, "one") == []
    assert await talk(talking, "two") == ["one", "you said one"]
    assert await talk(talking, "three") == ["one", "you said one", "two", "you said two"]


async def test_sessions_of_principals_do_not_meet(talking):
    await talk(talking, "mine")
    assert await talk(talking, "yours", principal="you") == []


@pytest.mark.parametrize(
    ("one", "other"),
    [
        pytest.param(("bob", "corp.com#diary"), ("bob#corp.com", "diary"), id="a-separator-moved"),
        pytest.param(("1:a1:b", "c"), ("1:a", "1:bc"), id="a-length-forged"),
    ],
)
async def test_sessions_of_two_principals_never_share_a_key(talking, one, other):
    (principal, session_id), (stranger, theirs) = one, other
    mine, foreign = (
        History(agent="chat", principal=who, session_id=what) for who, what in (one, other)
    )
    assert mine.key != foreign.key
    await talk(talking, "secret", principal=principal, name=session_id)
    assert await talk(talking, "hello", principal=stranger, name=theirs) == []


def test_sessions_of_two_agents_never_share_a_key():
    keys = {History(agent=one, principal="me", session_id="s").key for one in ("a", "b")}
    assert len(keys) == 2


async def test_a_turn_costs_one_read_and_one_write(memory, play):
    helper = ClaudeAgent("helper", model=MODEL)
    with play({"say": "ok"}):
        one = memory(helper)
        await ask(one, helper, "first", session_id="s")
        reads = []
        read = one.store.read

        async def counted(key):
            reads.append(key)
            return await read(key)

        one.store.read = counted
        with one.counting() as counts:
            await ask(one, helper, "second", session_id="s")
    assert counts["history"] == 1
    assert len([key for key in reads if key.pk.startswith("session#")]) == 1


async def test_turns_of_many_tasks_are_all_there_and_whole(talking):
    from sqswarm.dispatcher.submit import Request, submit

    await submit(
        talking.connection, "chat", [Request(arguments={"text": str(n)}) for n in range(10)]
    )
    await talking.settle_down()
    past = await talk(talking, "last")
    assert past[1::2] == [f"you said {text}" for text in past[::2]]
    assert sorted(past[::2], key=int) == [str(n) for n in range(10)]


async def test_an_attempt_that_died_after_it_remembered_does_not_do_it_again(talking):
    from sqswarm.dispatcher.submit import Request, submit

    transact = talking.store.transact

    async def dying(writes):
        if any("remember" in write.key.sk for write in writes):
            talking.store.transact = transact
            raise ConnectionError("the worker died here")
        return await transact(writes)

    talking.store.transact = dying
    [task] = await submit(talking.connection, "chat", [Request(arguments={"text": "once"})])
    await talking.settle_down()
    assert talking.store.transact == transact
    talking.clock.advance(seconds=60)
    await talking.settle_down()
    assert (await talking.see(task.task_id)).result() == []
    history = History(agent="chat", principal="me", session_id="s")
    assert len(history.of_item(talking.store.items[history.key]).turns) == 1


def test_a_late_append_is_refused_and_knows_what_stands_there():
    empty = History(agent="a", principal="p", session_id="s")
    from sqswarm.backends.memory.store import MemoryStore
    from sqswarm.backends.runner import run_straight

    store = MemoryStore()
    first = empty.append(said("a"), by="1", tokens=100, now_ms=0)
    other = empty.append(said("b"), by="2", tokens=100, now_ms=0)
    run_straight(store.write(first))
    outcome = run_straight(store.write(other))
    assert isinstance(outcome, Refused)
    now = empty.of_item(outcome.item)
    assert now.holds("1")
    run_straight(store.write(now.append(said("b"), by="2", tokens=100, now_ms=0)))
    both = empty.of_item(run_straight(store.read(empty.key)))
    assert [turn.number for turn in both.turns] == [1, 2]
    assert both.messages(upto=1, tokens=100) == said("a")
    assert both.messages(upto=2, tokens=100) == [*said("a"), *said("b")]
    gone = both.forget(now_ms=5000)
    run_straight(store.write(gone))
    assert empty.of_item(run_straight(store.read(empty.key))).turns == ()


def test_the_oldest_turns_go_first_and_the_item_stays_small():
    history = History(agent="a", principal="p", session_id="s")
    from sqswarm.schemas.writes import applied

    for n in range(50):
        write = history.append(said(f"{n} " + "x" * 300), by=str(n), tokens=1500, now_ms=n)
        history = history.of_item(applied(write, None))
    assert [turn.number for turn in history.turns][-1] == 50
    assert 8 < len(history.turns) < 15
    assert sum(turn.tokens for turn in history.turns) <= 1500
    big = history.append(said("y" * BYTES_LIMIT), by="big", tokens=10**9, now_ms=0)
    assert len(history.of_item(applied(big, None)).turns) == 1
