"""Clients as people use them: the SDK's, with the extension and without, and the Inspector."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any, Literal

import mcp_types as types
import pytest
from mcp import Client
from mcp.client.extension import ClientExtension, ResultClaim
from rpc import TASKS, Rpc
from server_fixtures import serving

from sqswarm.dispatcher.mcp_client import submit, tasks

pytestmark = pytest.mark.localstack


class Created(types.Result):
    """CreateTaskResult."""

    result_type: Literal["task"] = "task"
    task_id: str
    status: str


class TaskParams(types.RequestParams):
    task_id: str


class GetTask(types.Request[TaskParams, Literal["tasks/get"]]):
    method: Literal["tasks/get"] = "tasks/get"
    params: TaskParams
    name_param = "taskId"


class Detailed(types.Result):
    status: str
    result: dict[str, Any] | None = None


class Polling(ClientExtension):
    """The client's side of the extension, as an SDK user would write it."""

    identifier = TASKS

    def claims(self):
        return [ResultClaim(result_type="task", model=Created, resolve=self.resolve)]

    async def resolve(self, created, ctx):
        while True:
            request = GetTask(params=TaskParams(task_id=created.task_id))
            task = await ctx.session.send_request(request, Detailed)
            if task.result is not None:
                return types.CallToolResult.model_validate(task.result)
            assert task.status == "working"
            await asyncio.sleep(0.1)


async def test_a_client_with_the_extension_gets_the_result_of_a_task(served):
    async with Client(served, extensions=[Polling()]) as client:
        result = await client.call_tool("slow_compute", {"seconds": 1, "label": "tea"})
    assert result.structured_content == {"result": "tea took 1.0 s"}


async def test_our_client_finds_the_first_task_again_by_its_key(served):
    async with Client(served, extensions=[tasks()]) as client:
        asked = {"seconds": 0.1, "label": "tea"}
        first, again, other = [
            await submit(client, "slow_compute", asked, idempotency_key=key)
            for key in ("tea-at-six", "tea-at-six", "tea-at-seven")
        ]
    assert first.id == again.id != other.id


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_without_it_waits_for_a_short_task(served, mode):
    async with Client(served, mode=mode) as client:
        assert "task_result" in [tool.name for tool in (await client.list_tools()).tools]
        result = await client.call_tool("slow_compute", {"seconds": 1, "label": "tea"})
    assert not result.is_error
    assert result.structured_content == {"result": "tea took 1.0 s"}


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_without_it_gets_the_id_of_a_long_task_and_fetches_the_rest(
    server_stage, mode
):
    settings, _ = server_stage
    with serving(settings, env={"SQSWARM_SERVER_WAIT_S": "1"}) as process:
        async with Client(process.url, mode=mode) as client:
            result = await client.call_tool("slow_compute", {"seconds": 3, "label": "tea"})
            assert result.is_error
            assert "is still working after 1 s (computing tea)" in result.content[0].text
            task_id = result.meta["dev.sqswarm/taskId"]
            assert task_id in result.content[0].text
            while result.is_error:
                result = await client.call_tool("task_result", {"task_id": task_id})
    assert result.content[0].text == "tea took 3.0 s"


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_client_that_waits_hears_of_progress(served, mode):
    heard = []

    async def hear(progress, total, message):
        heard.append((progress, total, message))

    async with Client(served, mode=mode) as client:
        await client.call_tool("slow_compute", {"seconds": 2, "label": "a"}, progress_callback=hear)
    assert heard == [(0.0, 1.0, "computing a")]


async def test_a_client_without_it_answers_questions_in_the_middle_of_a_call(served):
    async def answer(context, params):
        return types.ElicitResult(action="accept", content={"confirm": True})

    async with Client(served, elicitation_callback=answer) as client:
        result = await client.call_tool("confirm_delete", {"filename": "a.txt"})
    assert result.content[0].text == "a.txt is deleted"


async def test_an_older_client_is_told_what_the_task_waits_for(served):
    async with Client(served, mode="legacy") as client:
        result = await client.call_tool("confirm_delete", {"filename": "a.txt"})
    assert result.is_error
    assert "waits for an answer (confirm: Delete a.txt?)" in result.content[0].text


async def test_a_server_killed_between_create_and_poll_loses_nothing(server_stage):
    settings, _ = server_stage
    with serving(settings) as first:
        task = await Rpc(first.url).call("slow_compute", {"seconds": 2, "label": "tea"})
        first.kill()
        first.wait()
    with serving(settings) as second:
        done = await Rpc(second.url).until(task["taskId"])
    assert done["status"] == "completed"
    assert done["result"]["content"][0]["text"] == "tea took 2.0 s"


async def test_a_server_that_is_stopped_ends_its_streams_in_good_order(server_stage):
    settings, _ = server_stage
    told = []
    with serving(settings) as process:
        rpc = Rpc(process.url)
        request = rpc.request("subscriptions/listen", {"notifications": {"toolsListChanged": True}})
        async with rpc.http() as http, http.stream("POST", **request) as stream:
            async for line in stream.aiter_lines():
                if line.startswith("data: "):
                    told.append(json.loads(line.removeprefix("data: ")))
                if len(told) == 1 and process.poll() is None:
                    process.terminate()
        assert process.wait(10) in {0, -15}
    assert told[0]["params"]["notifications"] == {"toolsListChanged": True}
    assert told[-1]["result"]["resultType"] == "complete"


async def test_two_servers_share_a_clients_tasks_without_stickiness(server_stage):
    from server_fixtures import forwarding

    settings, _ = server_stage
    with serving(settings) as one, serving(settings) as other:
        targets = [p.url.removesuffix("/mcp") for p in (one, other)]
        with forwarding(targets) as address:
            rpc = Rpc(f"{address}/mcp")
            task_id = (await rpc.call("confirm_delete", {"filename": "b"}))["taskId"]
            await rpc.until(task_id, "input_required")
            said = {"confirm": {"action": "accept", "content": {"confirm": False}}}
            await rpc("tasks/update", taskId=task_id, inputResponses=said)
            done = await rpc.until(task_id)
            form = await rpc.call("test_tool_with_task")
            answer = {"arguments": {"action": "accept", "content": {"name": "Cy"}}}
            state = {k: form[k] for k in ("requestState",) if k in form}
            await rpc.call("test_tool_with_task", inputResponses=answer, **state)
            async with Client(f"{address}/mcp", mode="legacy") as client:
                greeting = await client.call_tool("greet", {"name": "Di"})
    assert done["result"]["content"][0]["text"] == "b is kept"
    assert greeting.content[0].text == "Hello, Di!"


def test_the_inspector_lists_tools_and_completes_a_task(served):
    sys.path.insert(0, str(Path(__file__).parents[1] / "conformance"))
    from install import INSPECTOR, NODE, install, is_installed

    if os.environ.get("SQSWARM_CONFORMANCE") == "required":
        install()
    elif not is_installed():
        pytest.skip("the Inspector is not here: python tests/conformance/install.py (npm)")
    binary = json.loads((INSPECTOR / "package.json").read_text())["bin"]
    script = INSPECTOR / (binary if isinstance(binary, str) else binary["mcp-inspector"])

    def inspect(*arguments):
        command = [NODE, script, "--cli", served, "--transport", "http", *arguments]
        done = subprocess.run(
            [*command, "--protocol-era", "modern"],
            capture_output=True,
            text=True,
            check=False,
            timeout=180,
        )
        assert done.returncode == 0, done.stderr
        return json.loads(done.stdout)

    tools = inspect("--method", "tools/list", "--strict")["tools"]
    assert "slow_compute" in [tool["name"] for tool in tools]
    called = ("--method", "tools/call", "--tool-name", "slow_compute")
    result = inspect(*called, "--tool-arg", "seconds=1", "label=tea")
    assert result["content"][0]["text"] == "tea took 1.0 s"
