"""A record in MCP's shapes, a form for what is missing, and what an agent may declare."""

import json
import subprocess
import sys

import pytest
from memory_server import memory_server
from rpc import Rpc

from sqswarm import agent
from sqswarm.dispatcher.server.mcp import elicitation
from sqswarm.dispatcher.server.mcp.tools import client_tool
from sqswarm.dispatcher.server.mcp.wire import created_task, detailed_task, poll_interval_ms
from sqswarm.dispatcher.view import TaskView
from sqswarm.schemas.agent_spec import Durability
from sqswarm.schemas.as_tool import AsTool
from sqswarm.schemas.catalogue import Catalogue, CatalogueEntry
from sqswarm.schemas.errors import InvalidAgent
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.results import AGENT_FAILED, INTERNAL_ERROR, INVALID_PARAMS, error_object
from sqswarm.schemas.task import TaskRecord

MADE_MS = 1_700_000_000_000


def record(status=Status.WORKING, **more):
    return TaskRecord(
        task_id="0199c2f0-5d3c-7c3e-8f43-2f6a1c0d9e11",
        agent="echo",
        principal="ada",
        status=status,
        v="v",
        durability=Durability.DURABLE,
        created_ms=MADE_MS,
        updated_ms=MADE_MS,
        **more,
    )


def shown(status, **more):
    value = more.pop("value", None)
    return detailed_task(TaskView(record=record(status, **more), value=value), MADE_MS)


def test_a_created_task_is_flat_and_says_that_it_never_expires_while_it_works():
    made = created_task(record(), MADE_MS)
    assert made["resultType"] == "task"
    assert made["ttlMs"] is None
    assert not {"task", "result", "error", "inputRequests", "requestState", "ttl"} & made.keys()


@pytest.mark.parametrize(
    ("error", "status", "code"),
    [
        pytest.param(error_object("ValueError", "no"), "completed", None, id="the-agent-raised"),
        pytest.param(error_object("Fail", "no"), "completed", None, id="the-agent-gave-up"),
        pytest.param(
            error_object("InvalidReturn", "no", code=INTERNAL_ERROR),
            "failed",
            INTERNAL_ERROR,
            id="the-result-breaks-its-type",
        ),
        pytest.param(
            error_object("InvalidArguments", "no", code=INVALID_PARAMS),
            "failed",
            INVALID_PARAMS,
            id="the-worker-refused-the-arguments",
        ),
        pytest.param(
            error_object("WorkerLost", "no", code=AGENT_FAILED),
            "failed",
            INTERNAL_ERROR,
            id="the-worker-was-lost",
        ),
    ],
)
def test_a_tools_failure_is_completed_and_only_a_protocols_is_failed(error, status, code):
    task = shown(Status.FAILED, error=error)
    assert task["status"] == status
    if code is None:
        assert task["result"]["isError"]
        assert "error" not in task
    else:
        assert task["error"]["code"] == code
        assert "result" not in task


def test_an_ended_task_tells_its_result_and_how_long_it_is_kept():
    task = shown(Status.COMPLETED, value={"a": 1}, expires_s=MADE_MS // 1000 + 60)
    assert task["ttlMs"] == 60_000
    assert task["result"]["structuredContent"] == {"a": 1}


def test_only_open_questions_are_shown():
    asks = {"second": {"message": "Who?", "schema": {"type": "object"}, "number": 2}}
    task = shown(Status.INPUT_REQUIRED, asks=asks, answers={"first": {"value": 1}})
    assert list(task["inputRequests"]) == ["second"]
    assert task["inputRequests"]["second"]["method"] == "elicitation/create"


@pytest.mark.parametrize(("age_s", "expected"), [(0, 250), (4, 1000), (3600, 5000)])
def test_young_tasks_are_polled_often_and_old_ones_seldom(age_s, expected):
    assert poll_interval_ms(record(), MADE_MS + 1000 * age_s) == expected


@agent(tool=AsTool(task="required", ask_for=("name",), read_only=True, open_world=False))
def greet(name: str, loud: str, times: int = 1) -> str:
    """Greet."""


ENTRY = CatalogueEntry.of(greet.spec)


def test_what_people_are_asked_for_may_be_left_out_of_a_call():
    tool = client_tool(ENTRY)
    assert tool["inputSchema"]["required"] == ["loud"]
    assert tool["annotations"] == {"readOnlyHint": True, "openWorldHint": False}
    assert elicitation.missing_arguments(ENTRY, {"loud": True}) == ["name"]
    assert elicitation.missing_arguments(ENTRY, {"name": "Ada"}) == []


def test_a_form_asks_for_just_what_is_missing():
    form = elicitation.elicitation_form(ENTRY, ["name"])
    assert "requestState" not in form
    schema = form["inputRequests"]["arguments"]["params"]["requestedSchema"]
    assert list(schema["properties"]) == schema["required"] == ["name"]


@pytest.mark.parametrize(
    ("response", "expected"),
    [
        pytest.param({"action": "accept", "content": {"name": "Bo"}}, {"name": "Bo", "loud": 1}),
        pytest.param({"action": "accept", "content": {"loud": 2}}, {"loud": 1}, id="not-asked-for"),
        pytest.param({"action": "accept", "content": "Bo"}, {"loud": 1}, id="no-object"),
        pytest.param({"action": "decline"}, None),
        pytest.param({"action": "cancel"}, None),
        pytest.param("Bo", {"loud": 1}, id="no-response"),
    ],
)
def test_a_forms_answer_fills_in_what_was_asked_for_and_no_more(response, expected):
    assert elicitation.fill_in({"loud": 1}, ["name"], {"arguments": response}) == expected


def test_the_catalogue_keeps_what_is_declared_for_mcp():
    catalogue = Catalogue.load(Catalogue.of([greet.spec]).dump())
    assert catalogue.agents["greet"] == ENTRY


def test_an_older_catalogue_says_nothing_of_mcp():
    document = json.loads(Catalogue.of([greet.spec]).dump())
    del document["agents"][0]["mcp"]
    assert Catalogue.load(json.dumps(document)).agents["greet"].as_tool == AsTool()


@pytest.mark.parametrize(
    ("tool", "reason"),
    [
        pytest.param({"task": "sometimes"}, "none of optional, required, never"),
        pytest.param({"ask_for": ("nobody",)}, "no argument"),
        pytest.param({"ask_for": ("many",)}, "no form can ask for"),
    ],
)
def test_a_declaration_that_cannot_work_is_refused(tool, reason):
    with pytest.raises(InvalidAgent, match=reason):
        declared(**tool)


def declared(**tool):
    @agent(tool=AsTool(**tool))
    def lister(many: list[str]) -> str:
        """List."""

    return lister.spec


def test_a_worker_loads_nothing_of_the_servers():
    heavy = ["mcp", "mcp_types", "mangum", "starlette", "uvicorn", "sqswarm.dispatcher.server"]
    code = (
        "import sys, sqswarm.workers.hosts.lambda_handler;"
        f"print([m for m in {heavy} if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


async def test_a_task_is_found_without_a_name_header_and_not_with_anothers():
    with memory_server() as server:
        rpc = Rpc(f"{server.url}/mcp")
        task_id = (await rpc.call("say", {"text": "x"}))["taskId"]
        request = rpc.request("tasks/get", {"taskId": task_id})
        del request["headers"]["Mcp-Name"]
        async with rpc.http() as http:
            found = (await http.post(**request)).json()
            request["headers"]["Mcp-Name"] = "another"
            other = (await http.post(**request)).json()
        assert found["result"]["taskId"] == task_id
        assert other["error"]["code"] == -32020
        assert "Set Mcp-Name to params.taskId" in other["error"]["message"]
