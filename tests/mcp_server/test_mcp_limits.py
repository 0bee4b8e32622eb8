"""A caller over one of its limits: MCP's own errors, while the others are served."""

import asyncio
import json
from contextlib import asynccontextmanager

import pytest
from mcp import Client
from mcp.shared.exceptions import MCPError
from memory_server import memory_server
from rpc import Rpc, RpcError

ADA, BO = "ada-" + "k" * 28, "bo-" + "k" * 29
KEYS = {"SQSWARM_AUTH": "key", "SQSWARM_API_KEYS": f"ada:{ADA}, bo:{BO}"}


def as_key(server, key):
    return Rpc(f"{server.url}/mcp", headers={"Authorization": f"Bearer {key}"})


def refused(error, limit):
    assert (error.code, error.data["limit"]) == (429, limit)
    assert error.data["retryAfter"] >= 1
    assert f"SQSWARM_LIMIT_{limit.upper()}" in str(error)


async def test_a_caller_with_too_many_tasks_gets_a_json_rpc_error_until_one_has_ended():
    with memory_server({**KEYS, "SQSWARM_LIMIT_TASKS": "2"}) as server:
        ada, bo = as_key(server, ADA), as_key(server, BO)
        first, _ = [await ada.call("confirm", {"what": str(n)}) for n in range(2)]
        with pytest.raises(RpcError) as error:
            await ada.call("confirm", {"what": "more"})
        refused(error.value, "tasks")
        over_http = server("POST", "/tasks", token=ADA, json=NEW)
        assert (over_http.status_code, over_http.json()["limit"]) == (429, "tasks")
        event = server("POST", "/events/words", token=ADA, json=NEW["arguments"])
        assert event.status_code == 429
        assert "taskId" in await bo.call("confirm", {"what": "mine"})
        await ada("tasks/cancel", taskId=first["taskId"])
        await asyncio.sleep(1.1)
        assert "taskId" in await ada.call("confirm", {"what": "again"})


NEW = {"agent": "say", "arguments": {"text": "x"}}


def test_delayed_tasks_are_counted_for_themselves():
    with memory_server({"SQSWARM_LIMIT_DELAYED": "1"}) as server:
        later = {**NEW, "delay": 86_400}
        assert server("POST", "/tasks", json=later).status_code == 201
        refusal = server("POST", "/tasks", json=later)
        assert (refusal.status_code, refusal.json()["limit"]) == (429, "delayed")
        assert refusal.headers["retry-after"] == "1"
        assert server("POST", "/tasks", json=NEW).status_code == 201


@asynccontextmanager
async def listening(rpc, task_ids):
    """Hold a stream open, and yield what it begins with."""
    request = rpc.request("subscriptions/listen", {"notifications": {"taskIds": task_ids}})
    async with rpc.http() as http, http.stream("POST", **request) as stream:
        lines = stream.aiter_lines()
        async for line in lines:
            if line.startswith(("data: {", "{")):
                yield json.loads(line.removeprefix("data: "))
                return


async def test_a_callers_streams_follow_so_many_tasks_together():
    with memory_server({**KEYS, "SQSWARM_LIMIT_SUBSCRIPTIONS": "3"}) as server:
        ada, bo = as_key(server, ADA), as_key(server, BO)
        ids = [(await ada.call("confirm", {"what": str(n)}))["taskId"] for n in range(2)]
        mine = (await bo.call("confirm", {"what": "mine"}))["taskId"]
        async with listening(ada, ids) as first:
            assert first["params"]["notifications"]["taskIds"] == ids
            async with listening(ada, ids) as second:
                assert second["error"]["code"] == 429
                assert second["error"]["data"]["limit"] == "subscriptions"
            async with listening(bo, [mine]) as others:
                assert "error" not in others


async def test_the_sdks_client_is_told_the_limit_and_not_just_a_status():
    with memory_server({"SQSWARM_LIMIT_REQUESTS": "3"}) as server:
        async with Client(f"{server.url}/mcp", mode="auto") as client:
            asked = [client.list_resources() for _ in range(20)]
            answers = await asyncio.gather(*asked, return_exceptions=True)
        errors = [answer.error for answer in answers if isinstance(answer, MCPError)]
        assert errors
        for error in errors:
            assert error.code == 429
            assert "SQSWARM_LIMIT_REQUESTS" in error.message
