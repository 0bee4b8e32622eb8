"""Following tasks on an MCP server in another process, through `mcp.Client`."""

import asyncio
import threading
import time

import mcp
import pytest
from mcp import MCPError
from mcp_types import ElicitResult

from sqswarm.dispatcher.mcp_client import TaskHandle, connect, submit, tasks
from sqswarm.schemas.errors import (
    InputRequired,
    TaskCancelled,
    TaskFailed,
    TaskNotFound,
    TimedOut,
    Unreachable,
)
from sqswarm.schemas.lifecycle import Status

from .conftest import Remote


@pytest.fixture
async def client(remote):
    """A connected client, held open by one task: it must be closed by the one that opened it."""
    opened, over = asyncio.get_running_loop().create_future(), asyncio.Event()

    async def hold():
        async with mcp.Client(remote.url, extensions=[tasks()]) as connected:
            opened.set_result(connected)
            await over.wait()

    holding = asyncio.create_task(hold())
    yield await opened
    over.set()
    await holding


async def test_a_call_becomes_a_task_that_is_followed_to_its_result(client, remote):
    task = await submit(client, "slow", {"seconds": 0.5, "text": "x"})
    assert task.id is not None
    assert (await task.get()).status is Status.WORKING
    assert task.poll_s == 0.1
    result = await task.result(timeout=10)
    assert result.structured_content == {"result": "x"}
    assert (await task.get()).status is Status.COMPLETED
    assert remote.made == [["slow", None]]


async def test_a_plain_call_waits_for_its_task_too(client, remote):
    result = await client.call_tool("slow", {"seconds": 0.3, "text": "x"})
    assert result.structured_content == {"result": "x"}
    assert len(remote.made) == 1


async def test_a_tool_that_ends_at_once_is_no_task(client, remote):
    task = await submit(client, "greet", {"name": "Ada"})
    assert task.id is None
    assert await task.wait() is None
    assert (await task.result()).content[0].text == "Hello, Ada!"
    await task.cancel()
    assert remote.made == []


async def test_without_the_extension_the_call_is_simply_awaited(remote):
    async with mcp.Client(remote.url) as plain:
        task = await submit(plain, "slow", {"seconds": 0.1, "text": "x"})
        assert task.id is None
        assert (await task.result()).structured_content == {"result": "x"}


async def test_endings_are_told_apart(client):
    refused = await (await submit(client, "refuse")).result(timeout=5)
    assert refused.is_error
    with pytest.raises(TaskFailed, match="it crashed"):
        await (await submit(client, "crash")).result(timeout=5)
    with pytest.raises(MCPError, match="it crashed"):
        await client.call_tool("crash", {})
    slow = await submit(client, "slow", {"seconds": 60, "text": "x"})
    with pytest.raises(TimedOut):
        await slow.result(timeout=0.3)
    await slow.cancel()
    with pytest.raises(TaskCancelled):
        await slow.result(timeout=5)
    with pytest.raises(TaskNotFound):
        await TaskHandle.resume(client, "nonsense").get()


@pytest.mark.parametrize(
    ("value", "expected"),
    [({"sure": True}, {"result": "accept", "content": {"sure": True}}),
     (None, {"result": "decline", "content": None})],
)  # fmt: skip
async def test_a_question_is_answered(client, value, expected):
    task = await submit(client, "confirm", {"filename": "f"})
    with pytest.raises(InputRequired, match="sure"):
        await task.result(timeout=5)
    state = await task.wait(timeout=5)
    assert state.input_requests["sure"]["params"]["message"] == "Sure?"
    await task.answer("sure", value)
    assert (await task.result(timeout=5)).structured_content == expected


async def test_a_plain_call_answers_questions_through_the_clients_own_callback(remote):
    async def person(_, params):
        return ElicitResult(action="accept", content={"sure": params.message == "Sure?"})

    async with mcp.Client(remote.url, extensions=[tasks()], elicitation_callback=person) as client:
        result = await client.call_tool("confirm", {"filename": "f"})
        assert result.structured_content["content"] == {"sure": True}
    async with mcp.Client(remote.url, extensions=[tasks()]) as mute:
        with pytest.raises(InputRequired, match="cannot answer"):
            await mute.call_tool("confirm", {"filename": "f"})


async def test_a_task_is_resumed_from_its_id_by_another_client(client, remote):
    task = await submit(client, "slow", {"seconds": 1, "text": "x"})
    async with mcp.Client(remote.url, extensions=[tasks()]) as other:
        resumed = TaskHandle.resume(other, task.id)
        assert (await resumed.result(timeout=10)).structured_content == {"result": "x"}


async def test_polling_outlives_failing_answers(client, remote):
    task = await submit(client, "slow", {"seconds": 0.2, "text": "x"})
    remote.fail(3)
    assert (await task.result(timeout=20)).structured_content == {"result": "x"}


async def test_polling_outlives_a_restart_of_the_server(remote):
    async with connect(remote.url) as client:
        task = await submit(client, "slow", {"seconds": 0.2, "text": "x"})
        remote.stop()
        back = threading.Timer(1.0, remote.start)
        back.start()
        assert (await task.result(timeout=30)).structured_content == {"result": "x"}
        back.join()


async def test_a_server_that_is_not_there_or_wants_a_token_is_told(tmp_path):
    guarded = Remote(tmp_path, token="sesame")
    with pytest.raises(Unreachable, match="it answers 401"):
        async with connect(guarded.url):
            pytest.fail("it connected")
    async with connect(guarded.url, headers={"Authorization": "Bearer sesame"}) as client:
        assert not (await client.call_tool("greet", {"name": "Ada"})).is_error
    guarded.stop()
    with pytest.raises(Unreachable, match="ConnectError"):
        async with connect(guarded.url):
            pytest.fail("it connected")


async def test_a_repeat_with_the_same_key_finds_the_first_task(client, remote):
    arguments = {"seconds": 60, "text": "x"}
    first = await submit(client, "slow", arguments, idempotency_key="k")
    again = await submit(client, "slow", arguments, idempotency_key="k")
    assert again.id == first.id
    assert remote.made == [["slow", "k"]]


async def test_polls_keep_the_servers_pace(client):
    task = await submit(client, "slow", {"seconds": 1, "text": "x"})
    asked = 0
    get = task.get

    async def counted():
        nonlocal asked
        asked += 1
        return await get()

    task.get = counted
    started = time.monotonic()
    await task.result(timeout=10)
    assert asked <= (time.monotonic() - started) / 0.1 + 2
