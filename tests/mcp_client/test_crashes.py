"""ctx.mcp when a worker dies between any two of its writes, over memory twins."""

import contextlib

import pytest
from memory_swarm import CrashedError, MemorySwarm

from sqswarm import TaskContext, agent
from sqswarm.schemas.lifecycle import Status

SAID = {"text": "x"}


@agent(timeout=20, max_attempts=3)
async def caller(url: str, seconds: float, *, ctx: TaskContext) -> str:
    return await ctx.mcp(url).call("slow", seconds=seconds, text=SAID["text"])


@pytest.fixture
def memory(monkeypatch):
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:1")
    SAID["text"] = "x"
    return MemorySwarm(caller)


async def ended(memory, task_id):
    for _ in range(10):
        if (await memory.record(task_id)).status.terminal:
            return await memory.see(task_id)
        await memory.housekeep(minutes=5)
    raise AssertionError("it did not end")


@pytest.mark.parametrize(
    ("seconds", "before"),
    [
        pytest.param(0.2, "step", id="after-the-call-before-its-record"),
        pytest.param(4, "sleep", id="before-it-sleeps"),
        pytest.param(4, "wake", id="before-it-is-woken"),
        pytest.param(0.2, "settle", id="before-it-is-settled"),
    ],
)
async def test_a_crash_leaves_one_remote_task(memory, remote, seconds, before):
    task_id = await memory.submit(caller, {"durable": True}, url=remote.url, seconds=seconds)
    memory.store.crash_before = before
    with contextlib.suppress(CrashedError):
        await memory.settle_down()
    with contextlib.suppress(CrashedError):
        await ended(memory, task_id)
    view = await ended(memory, task_id)
    assert memory.store.crash_before is None
    assert view.result() == "x"
    assert len(remote.made) == 1


async def test_a_crash_before_the_end_is_recorded_costs_another_poll_only(memory, remote):
    task_id = await memory.submit(caller, {"durable": True}, url=remote.url, seconds=4)
    await memory.settle_down()
    assert (await memory.record(task_id)).wake_at_ms
    memory.store.crash_before = "step"
    view = await ended(memory, task_id)
    assert memory.store.crash_before is None
    assert view.result() == "x"
    assert len(remote.made) == 1


async def test_a_run_that_calls_with_other_arguments_than_before_is_found_out(memory, remote):
    task_id = await memory.submit(caller, {"durable": True}, url=remote.url, seconds=4)
    await memory.settle_down()
    SAID["text"] = "other"
    await memory.housekeep(minutes=5)
    record = await memory.record(task_id)
    assert record.status is Status.WORKING
    assert record.parked_now["why"]
    assert len(remote.made) == 1


async def test_a_call_that_ends_soon_costs_two_records(memory, remote):
    with memory.counting() as counts:
        task_id = await memory.submit(caller, {"durable": True}, url=remote.url, seconds=0.2)
        await memory.settle_down()
    assert (await memory.see(task_id)).result() == "x"
    assert counts["transaction"] == 2
    assert counts["sleep"] == 0
