"""JSON's limits at the entrances of the server: HTTP and MCP, over a memory swarm."""

from __future__ import annotations

import json

import httpx2
import pytest
from memory_server import memory_server
from rpc import Rpc

HOSTILE = {
    "nested-1000": ('{"a":' * 1000 + "1" + "}" * 1000, "deeper than"),
    "nested-70": ('{"a":' * 70 + "1" + "}" * 70, "deeper than 64 levels"),
    "1e999": ('[1, {"b": 1e999}]', "finite"),
    "nan": ("NaN", "finite"),
    "5000-digits": ("9" * 5000, "finite"),
    "lone-surrogate": ('"\\ud800"', "lone surrogate"),
    "surrogate-in-a-key": ('{"\\udc00": 1}', "lone surrogate"),
}


@pytest.fixture(scope="module")
def server():
    with memory_server() as running:
        yield running


@pytest.fixture(params=list(HOSTILE))
def hostile(request):
    return HOSTILE[request.param]


def post(server, path, body, **headers):
    given = {"Content-Type": "application/json", **headers}
    return httpx2.post(f"{server.url}{path}", content=body, headers=given)


def tasks(server):
    return {task["taskId"] for task in httpx2.get(f"{server.url}/tasks").json()["tasks"]}


def test_http_refuses_it_before_anything_is_written(server, hostile):
    text, why = hostile
    before = tasks(server)
    for path, body in (
        ("/tasks", f'{{"agent": "say", "arguments": {{"text": {text}}}}}'),
        ("/events/words", f'{{"text": {text}}}'),
    ):
        answer = post(server, path, body)
        assert answer.status_code in {400, 422}, answer.text
        assert why in answer.json()["detail"]
    assert tasks(server) == before


async def test_mcp_refuses_it_before_anything_is_written(server, hostile):
    text, _ = hostile
    before = tasks(server)
    rpc = Rpc(f"{server.url}/mcp")
    request = rpc.request("tools/call", {"name": "say", "arguments": {"text": "HOSTILE"}})
    body = json.dumps(request["json"]).replace('"HOSTILE"', text)
    answer = post(server, "/mcp", body, **request["headers"])
    assert answer.status_code < 500
    assert "taskId" not in answer.text
    assert '"isError":true' in answer.text or '"error":' in answer.text
    assert tasks(server) == before
    assert post(server, "/mcp", json.dumps(request["json"]), **request["headers"]).is_success
