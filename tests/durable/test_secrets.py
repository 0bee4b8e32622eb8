"""What is recorded holds no secret, and a run goes on with what its replay will find."""

import pytest
from memory_swarm import MemorySwarm

from sqswarm import Fail, TaskContext, agent
from sqswarm.dispatcher.lifecycle.answer import answer
from sqswarm.schemas.errors import InvalidArguments
from sqswarm.schemas.lifecycle import Status

KNOWN = "correct-horse/battery staple"
SHAPED = "ghp_" + "a1" * 20
BOTH = f"known {KNOWN}, shaped {SHAPED}."
HIDDEN = "known [secret], shaped [secret]."
FOUND: list[object] = []
ATTEMPTS = 2


@pytest.fixture(autouse=True)
def _secrets(monkeypatch):
    monkeypatch.setenv("SHOP_PASSWORD", KNOWN)
    FOUND.clear()


@agent(timeout=20, max_attempts=ATTEMPTS)
async def logs_in(*, ctx: TaskContext) -> str:
    FOUND.append(await ctx.step("log in", lambda: {"token": BOTH, SHAPED: [BOTH]}))
    if ctx.attempt == 1:
        raise ConnectionError(f"refused {BOTH}")
    return "done"


@agent(timeout=20, max_attempts=1)
async def fails(*, kind: str, ctx: TaskContext) -> str:
    if kind == "step":
        await ctx.step("log in", raises, Fail(BOTH))
    # So long that a cut falls into the secret: before it is found, it would be cut in half.
    padded = f"{'x' * (4000 - len(KNOWN) // 2)}{KNOWN}"
    raise {"fail": Fail(BOTH), "raise": ConnectionError(BOTH), "cut": Fail(padded)}[kind]


def raises(error: Exception) -> None:
    raise error


@agent(timeout=20)
async def goes_past(*, ctx: TaskContext) -> str:
    try:
        await ctx.step("log in", raises, ConnectionError(BOTH))
    except Exception as error:
        FOUND.append(str(error))
    await ctx.step("after", lambda: 1)
    if ctx.attempt == 1:
        raise ConnectionError
    return "done"


@agent(timeout=20)
async def asks(*, ctx: TaskContext) -> str:
    await ctx.progress(0.5, BOTH)
    FOUND.append(await ctx.ask("key", f"May I use {BOTH}?", str))
    return "done"


@agent(timeout=20)
def echo(text: str) -> str:
    return text


@agent(timeout=20)
async def remembers(*, ctx: TaskContext) -> str:
    session = ctx.session("talk")
    await session.append([{"role": "user", "content": BOTH}])
    FOUND.append(await session.export())
    return "done"


def recorded(memory):
    """Everything that is kept anywhere: records, payloads, messages, dead letters, logs."""
    queues = [
        (stored.body, dict(stored.attributes))
        for queue in memory.bus._queues.values()
        for stored in queue.messages
    ]
    return f"{memory.store.items} {memory.blobs.objects} {queues} {memory.log.getvalue()}"


def assert_clean(memory):
    everything = recorded(memory)
    assert "[secret]" in everything
    for piece in (KNOWN, KNOWN[:12], KNOWN.replace("/", "%2F"), SHAPED):
        assert piece not in everything


async def test_a_step_goes_on_with_what_its_replay_finds():
    memory = MemorySwarm(logs_in)
    task_id = await memory.submit(logs_in)
    await memory.settle_down()
    assert "refused known [secret]" in (await memory.record(task_id)).status_message
    await memory.housekeep()
    assert (await memory.see(task_id)).result() == "done"
    assert FOUND == [{"token": HIDDEN, "[secret]": [HIDDEN]}] * 2
    assert '"step.redacted"' in memory.log.getvalue()
    assert_clean(memory)


@pytest.mark.parametrize("kind", ["fail", "raise", "step", "cut"])
async def test_an_error_and_its_dead_letter_hold_none(kind):
    memory = MemorySwarm(fails)
    task_id = await memory.submit(fails, kind=kind)
    await memory.settle_down()
    assert (await memory.record(task_id)).status is Status.FAILED
    assert_clean(memory)
    [letter] = await memory.letters(fails)
    assert (HIDDEN if kind != "cut" else "xxx") in letter.attributes["detail"]


async def test_a_steps_failure_that_the_agent_goes_past_holds_none():
    memory = MemorySwarm(goes_past)
    task_id = await memory.submit(goes_past)
    await memory.settle_down()
    await memory.housekeep()
    assert (await memory.see(task_id)).result() == "done"
    assert [f"step 'log in' failed: ConnectionError: {HIDDEN}"] * 2 == FOUND
    assert_clean(memory)


async def test_progress_questions_and_answers_hold_none():
    memory = MemorySwarm(asks)
    task_id = await memory.submit(asks)
    await memory.settle_down()
    record = await memory.record(task_id)
    assert record.status_message == HIDDEN
    assert record.asks["key"]["message"] == f"May I use {HIDDEN}?"
    with pytest.raises(InvalidArguments):  # one that does not fit is not recorded at all
        await answer(memory.connection, task_id, "key", {"other": BOTH})
    await answer(memory.connection, task_id, "key", BOTH)
    await memory.settle_down()
    assert (await memory.see(task_id)).result() == "done"
    assert FOUND == [HIDDEN]
    assert_clean(memory)


async def test_a_session_holds_none():
    memory = MemorySwarm(remembers)
    task_id = await memory.submit(remembers)
    await memory.settle_down()
    assert (await memory.see(task_id)).result() == "done"
    assert HIDDEN in str(FOUND)
    assert_clean(memory)


async def test_a_poisoned_messages_reason_holds_none():
    memory = MemorySwarm(echo)
    body = f'{{"jsonrpc":"2.0","id":"{BOTH}","method":"{BOTH}","params":{{}}}}'
    await memory.copy(echo, body)
    await memory.settle_down()
    [letter] = await memory.letters(echo)
    assert letter.body == body  # it is run again as it was sent
    assert KNOWN not in letter.attributes["detail"]
    assert SHAPED not in letter.attributes["detail"]


async def test_arguments_and_results_are_their_callers_own():
    memory = MemorySwarm(echo)
    task_id = await memory.submit(echo, text=BOTH)
    await memory.settle_down()
    assert (await memory.see(task_id)).result() == BOTH
