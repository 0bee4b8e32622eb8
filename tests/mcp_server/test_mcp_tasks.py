"""Tasks over MCP beside what the official suite checks."""

import asyncio
import json

import pytest
from rpc import Rpc, RpcError

pytestmark = pytest.mark.localstack
UNKNOWN = "0199c2f0-5d3c-7c3e-8f43-2f6a1c0d9e11"


async def test_wrong_arguments_are_told_before_any_task_exists(rpc):
    result = await rpc.call("slow_compute", {"seconds": "many"})
    assert result["isError"]
    assert "resultType" in result
    assert "taskId" not in result
    assert "'many' is not of type 'number'" in result["content"][0]["text"]


async def test_an_unknown_tool_is_invalid(rpc):
    with pytest.raises(RpcError) as error:
        await rpc.call("no_such_tool")
    assert error.value.code == -32602


async def test_progress_is_the_status_message(rpc):
    task = await rpc.call("slow_compute", {"seconds": 2, "label": "tea"})
    seen = {
        (await rpc("tasks/get", taskId=task["taskId"])).get("statusMessage")
        for _ in range(20)
        if not await asyncio.sleep(0.1)
    }
    assert "computing tea" in seen


async def test_a_repeat_with_the_same_key_finds_the_first_task(rpc):
    meta = {"dev.sqswarm/idempotencyKey": "tea-at-five"}
    first = await rpc.call("slow_compute", {"seconds": 0}, _meta=meta)
    again = await rpc.call("slow_compute", {"seconds": 0}, _meta=meta)
    assert first["taskId"] == again["taskId"]
    other = await rpc.call("slow_compute", {"seconds": 1}, _meta=meta)
    assert other["isError"]
    assert "idempotency key" in other["content"][0]["text"]


async def test_a_calls_tags_are_its_tasks(rpc):
    meta = {"dev.sqswarm/tags": {"tenant": "acme"}}
    task = await rpc.call("slow_compute", {"seconds": 0}, _meta=meta)
    await rpc.until(task["taskId"])
    told = await rpc("resources/read", uri=f"task://{task['taskId']}")
    assert json.loads(told["contents"][0]["text"])["tags"] == {"tenant": "acme"}
    for wrong in ({"tenant": 1}, ["acme"], {"t": "x" * 257}):
        refused = await rpc.call("slow_compute", {"seconds": 0}, _meta={"dev.sqswarm/tags": wrong})
        assert refused["isError"]
        assert "the tags" in refused["content"][0]["text"]


async def test_nobody_is_told_of_a_call_whom_the_stage_does_not_name(rpc):
    for wrong in ("https://example.com/hook", [1], {"url": "https://example.com"}):
        meta = {"dev.sqswarm/notify": wrong}
        refused = await rpc.call("slow_compute", {"seconds": 0}, _meta=meta)
        assert refused["isError"]
        assert "notify" in refused["content"][0]["text"] or "tell" in refused["content"][0]["text"]


async def test_an_answer_that_breaks_the_questions_schema_is_refused_and_may_be_mended(rpc):
    task = await rpc.call("confirm_delete", {"filename": "a.txt"})
    task_id = task["taskId"]
    assert (await rpc.until(task_id, "input_required"))["status"] == "input_required"
    for wrong in ({"action": "accept", "content": {"confirm": "perhaps"}}, {"action": "maybe"}):
        with pytest.raises(RpcError) as error:
            await rpc("tasks/update", taskId=task_id, inputResponses={"confirm": wrong})
        assert error.value.code == -32602
    right = {"action": "accept", "content": {"confirm": True}}
    await rpc("tasks/update", taskId=task_id, inputResponses={"confirm": right})
    done = await rpc.until(task_id)
    assert done["result"]["structuredContent"] == {"result": "a.txt is deleted"}


async def test_a_declined_question_reaches_the_agent(rpc):
    task_id = (await rpc.call("confirm_delete", {"filename": "a.txt"}))["taskId"]
    await rpc.until(task_id, "input_required")
    await rpc("tasks/update", taskId=task_id, inputResponses={"confirm": {"action": "decline"}})
    done = await rpc.until(task_id)
    assert done["status"] == "completed"
    assert done["result"]["isError"]
    assert "AskDeclined" in done["result"]["content"][0]["text"]


async def test_a_person_may_decline_what_is_asked_before_there_is_a_task(rpc):
    form = await rpc.call("test_tool_with_task")
    assert form["resultType"] == "input_required"
    said = {"arguments": {"action": "decline"}}
    result = await rpc.call("test_tool_with_task", inputResponses=said)
    assert result["isError"]


async def test_only_what_was_asked_for_is_taken_from_a_form(rpc):
    said = {"arguments": {"action": "accept", "content": {"name": "Bo", "admin": True}}}
    task = await rpc.call("test_tool_with_task", inputResponses=said)
    done = await rpc.until(task["taskId"])
    assert done["result"]["content"][0]["text"] == "Hello, Bo!"


async def test_a_client_that_asks_nobody_is_told_what_is_missing(served):
    mute = Rpc(served, elicitation=False)
    result = await mute.call("test_tool_with_task")
    assert result["isError"]
    assert "'name' is a required property" in result["content"][0]["text"]


async def test_the_catalogue_and_tasks_can_be_read(rpc):
    (listed,) = (await rpc("resources/list"))["resources"]
    read = await rpc("resources/read", uri=listed["uri"])
    agents = json.loads(read["contents"][0]["text"])["agents"]
    assert "slow_compute" in [agent["name"] for agent in agents]
    task_id = (await rpc.call("slow_compute", {"seconds": 0, "label": "x"}))["taskId"]
    await rpc.until(task_id)
    read = await rpc("resources/read", uri=f"task://{task_id}")
    assert json.loads(read["contents"][0]["text"])["status"] == "completed"
    read = await rpc("resources/read", uri=f"task://{task_id}/result")
    assert json.loads(read["contents"][0]["text"])["content"][0]["text"] == "x took 0.0 s"
    with pytest.raises(RpcError) as error:
        await rpc("resources/read", uri=f"task://{UNKNOWN}")
    assert error.value.code == -32602


async def test_tools_come_in_the_order_of_their_names_with_their_annotations(rpc, plain):
    tools = (await rpc("tools/list"))["tools"]
    names = [tool["name"] for tool in tools]
    assert names == sorted(names)
    shown = {tool["name"]: tool for tool in tools}
    assert shown["greet"]["annotations"] == {"readOnlyHint": True}
    assert "required" not in shown["test_tool_with_task"]["inputSchema"]
    assert shown["slow_compute"]["outputSchema"]["type"] == "object"
    assert "task_result" not in names
    assert "task_result" in [tool["name"] for tool in (await plain("tools/list"))["tools"]]


async def test_a_subscription_tells_every_change_until_the_tasks_end(rpc):
    task_id = (await rpc.call("slow_compute", {"seconds": 2, "label": "tea"}))["taskId"]
    wanted = {"notifications": {"taskIds": [task_id, UNKNOWN]}}
    told = []
    async with rpc.http() as http:
        request = rpc.request("subscriptions/listen", wanted)
        async with http.stream("POST", **request) as stream:
            async for line in stream.aiter_lines():
                if line.startswith("data: "):
                    told.append(json.loads(line.removeprefix("data: ")))
    acknowledged, *changes, end = told
    assert acknowledged["method"] == "notifications/subscriptions/acknowledged"
    assert acknowledged["params"]["notifications"] == {"taskIds": [task_id]}
    assert {change["method"] for change in changes} == {"notifications/tasks"}
    assert all("ttlMs" in change["params"] for change in changes)
    assert changes[-1]["params"]["status"] == "completed"
    assert changes[-1]["params"]["result"]["content"][0]["text"] == "tea took 2.0 s"
    assert end["result"]["resultType"] == "complete"


async def test_on_lambda_nothing_is_streamed(lambda_server):
    rpc = Rpc(lambda_server)
    with pytest.raises(RpcError) as error:
        await rpc("subscriptions/listen", notifications={"toolsListChanged": True})
    assert error.value.code == -32601
    async with rpc.http() as http:
        assert (await http.get(lambda_server)).status_code == 405


async def test_the_rest_api_leads_to_the_same_server(server_stage, lambda_server):
    import boto3
    from server_fixtures import forwarding

    settings, _ = server_stage
    stack = boto3.client("cloudformation").describe_stacks(StackName="sqswarm-server")["Stacks"][0]
    outputs = {o["OutputKey"]: o["OutputValue"] for o in stack["Outputs"]}
    port = settings.endpoint_url.rpartition(":")[2]
    api = outputs["ServerApiUrl"].split("//")[1].split(".")[0]
    with forwarding([f"http://{api}.execute-api.localhost:{port}"]) as address:
        result = await Rpc(f"{address}/v1/mcp").call("greet", {"name": "Ada"})
    assert result["content"][0]["text"] == "Hello, Ada!"
