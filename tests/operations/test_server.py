"""The server itself: what it serves to whom, how it fails, and what it may never print."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import httpx2 as httpx
import mcp
import pytest

from sqswarm.infra.admin_mcp.assistants import snippets
from sqswarm.infra.admin_mcp.runtimes import RUNTIMES, TABLE_DATE, successor
from sqswarm.infra.local.isolated import free_port

from .conftest import assistant, parameters

WRITES = {
    "submit-task",
    "cancel-task",
    "answer-question",
    "redrive-dead-letters",
    "redrive-tasks",
    "cancel-tasks",
    "invoke-function",
    "update-function-runtime",
}
NOBODY = "http://127.0.0.1:1"


async def test_every_tool_says_what_it_is_for_what_it_returns_and_what_it_changes():
    async with assistant(AWS_ENDPOINT_URL=NOBODY) as ask:
        tools = (await ask.client.list_tools()).tools
        names = {tool.name for tool in tools}
        assert names >= WRITES
        for tool in tools:
            assert tool.title
            assert len(tool.description) > 80
            assert tool.output_schema["type"] == "object"
            assert tool.input_schema["additionalProperties"] is False
            assert tool.annotations.read_only_hint is (tool.name not in WRITES)
            for hint in ("destructive_hint", "idempotent_hint", "open_world_hint"):
                assert getattr(tool.annotations, hint) is not None


@pytest.mark.parametrize(
    ("arguments", "endpoint", "writes"),
    [
        ([], NOBODY, True),
        (["--read-only"], NOBODY, False),
        ([], "https://lambda.example.com", False),
        (["--allow-writes"], "https://lambda.example.com", True),
    ],
)
async def test_writes_are_served_on_an_emulator_and_elsewhere_only_where_allowed(
    arguments, endpoint, writes
):
    async with assistant(*arguments, AWS_ENDPOINT_URL=endpoint) as ask:
        names = {tool.name for tool in (await ask.client.list_tools()).tools}
        assert names & WRITES == (WRITES if writes else set())
        assert ("Read-only" in ask.client.instructions) is not writes
        if not writes:
            assert "Unknown tool" in await ask.refused("invoke-function", function_name="f")


@pytest.mark.parametrize(
    ("tool", "arguments", "reason", "example"),
    [
        pytest.param(
            "list-tasks",
            {"status": "stuck", "limit": 500},
            ['`status` is "stuck": input should be', "`limit` is 500: input should be less than"],
            {"status": "working", "limit": 20},
            id="out-of-range",
        ),
        pytest.param(
            "list-tasks",
            {"agnt": "x"},
            ["there is no argument `agnt`; possible are "],
            {},
            id="unknown",
        ),
        pytest.param(
            "get-task",
            {},
            ["`task_id` is missing"],
            {"task_id": "0199c2f0-5d3c-7c3e-8f43-2f6a1c0d9e11"},
            id="missing",
        ),
        pytest.param(
            "submit-task",
            {"agent": "shout", "arguments": [1]},
            ["`arguments` is [1]: input should be a valid dictionary"],
            {"agent": "<agent>", "arguments": {}},
            id="of-another-type",
        ),
        pytest.param(
            "redrive-dead-letters",
            {"agent": 7},
            ["`agent` is 7: input should be a valid string"],
            {"agent": "<agent>"},
            id="of-a-tool-that-asks-people",
        ),
    ],
)
async def test_wrong_arguments_are_named_with_a_call_that_fits(tool, arguments, reason, example):
    async with assistant(AWS_ENDPOINT_URL=NOBODY) as ask:
        text = await ask.refused(tool, **arguments)
    wrong, fix = text.split("\n  fix: ")
    assert wrong.startswith("InvalidArguments: ")
    assert all(part in wrong for part in reason)
    assert json.loads(fix.removeprefix(f"Call {tool} with, say, ").removesuffix(".")) == example
    assert "pydantic" not in text
    assert "validation error" not in text


async def test_an_endpoint_that_does_not_answer_is_told_and_the_server_lives_on():
    async with assistant(AWS_ENDPOINT_URL=NOBODY) as ask:
        for tool in ("list-agents", "list-functions", "list-queues"):
            told = await ask.refused(tool)
            assert f"nothing answers at {NOBODY}" in told
            assert "sqswarm up" in told
        told = await ask.refused("redrive-dead-letters", agent="x")
        assert f"nothing answers at {NOBODY}" in told


async def test_a_stage_that_is_not_deployed_is_told(emulator):
    async with assistant(SQSWARM_STAGE="nowhere") as ask:
        assert "NotDeployed" in await ask.refused("list-agents")
        assert (await ask("list-functions", prefix="sqswarm-nowhere-"))["functions"] == []


def test_nothing_but_messages_is_written_to_stdout():
    """Even with every library's log at its loudest."""
    command = parameters()
    greeting = {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "initialize",
        "params": {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "test", "version": "1"},
        },
    }
    calls = [
        {
            "jsonrpc": "2.0",
            "id": number,
            "method": "tools/call",
            "params": {"name": name, "arguments": {}},
        }
        for number, name in enumerate(["list-agents", "no-such-tool", "list-functions"], start=2)
    ]
    ready = {"jsonrpc": "2.0", "method": "notifications/initialized"}
    sent = "".join(json.dumps(one) + "\n" for one in [greeting, ready, *calls])
    with subprocess.Popen(
        [command.command, *command.args],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "AWS_ENDPOINT_URL": NOBODY, "PYTHONWARNINGS": "always"},
    ) as server:
        server.stdin.write(sent)
        server.stdin.flush()
        lines = [server.stdout.readline() for _ in range(4)]
        out, _ = server.communicate(timeout=20)
    assert out == ""
    answers = {json.loads(line)["id"]: json.loads(line) for line in lines}
    assert set(answers) == {1, 2, 3, 4}
    assert all(one["jsonrpc"] == "2.0" for one in answers.values())


async def test_the_same_server_answers_over_http_on_loopback_only(emulator):
    port = free_port()
    command = parameters("--http", "--port", str(port))
    server = await asyncio.create_subprocess_exec(
        command.command, *command.args, env=command.env, stderr=asyncio.subprocess.DEVNULL
    )
    url = f"http://127.0.0.1:{port}/mcp"
    try:
        for _ in range(100):
            try:
                async with httpx.AsyncClient() as http:
                    await http.get(url, headers={"accept": "application/json"})
                break
            except httpx.ConnectError:
                await asyncio.sleep(0.1)
        async with mcp.Client(url) as client:
            result = await client.call_tool("list-functions", {"page_size": 1})
            assert not result.is_error
            assert "functions" in result.structured_content
        async with httpx.AsyncClient() as http:
            for header, value, status in (
                ("host", "evil.example", 421),
                ("origin", "http://evil.example", 403),
                ("origin", "null", 403),
                ("sec-fetch-site", "cross-site", 403),
            ):
                for method in ("GET", "POST"):
                    foreign = await http.request(method, url, headers={header: value})
                    assert foreign.status_code == status, (header, value, method)
    finally:
        server.terminate()
        await server.wait()


def test_the_printed_configuration_starts_the_server_and_holds_no_secret():
    told = subprocess.run(
        [Path(sys.executable).parent / "sqswarm", "mcp", "--print-config", "--json"],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "AWS_ENDPOINT_URL": NOBODY, "AWS_SECRET_ACCESS_KEY": "s3cret"},
    ).stdout
    assert "s3cret" not in told
    for place, snippet in json.loads(told).items():
        servers = snippet["servers" if "VS Code" in place else "mcpServers"]
        server = servers["sqswarm"]
        assert Path(server["command"]).is_file()
        assert server["args"][0] == "mcp"
        assert server["env"]["AWS_ENDPOINT_URL"] == NOBODY


def test_the_configuration_says_whether_writes_are_allowed():
    for allowed, expected in [(True, ["--allow-writes"]), (False, ["--read-only"]), (None, [])]:
        told = snippets({}, stage="dev", endpoint=None, allow_writes=allowed)
        server = told["Claude Desktop: claude_desktop_config.json"]["mcpServers"]["sqswarm"]
        assert server["args"][1:] == expected


def test_the_table_of_runtimes_is_the_one_that_cfn_lint_ships():
    import cfnlint

    path = Path(cfnlint.__file__).parent / "data/AdditionalSpecs/LmbdRuntimeLifecycle.json"
    theirs = json.loads(path.read_text())
    for name, runtime in RUNTIMES.items():
        dates = (runtime.deprecated, runtime.create_blocked, runtime.update_blocked)
        told = theirs[name]
        assert [str(day) if day else None for day in dates] == [
            told["deprecated"],
            told["create-block"],
            told["update-block"],
        ], name
    newer = {name for name in theirs if "edge" not in name} - set(RUNTIMES)
    assert newer == set()


@pytest.mark.parametrize(
    ("runtime", "expected"),
    [
        ("python3.8", "python3.14"),
        ("java8.al2", "java25"),
        ("dotnetcore3.1", "dotnet10"),
        ("provided", "provided.al2023"),
        ("go1.x", None),
    ],
)
def test_the_successor_is_of_the_same_language_and_lasts_longest(runtime, expected):
    assert successor(runtime, TABLE_DATE) == expected
