"""One deployed swarm, plain functions beside it, and MCP clients that start `sqswarm mcp`."""

import io
import os
import sys
import time
import zipfile
from contextlib import asynccontextmanager
from pathlib import Path

import mcp
import pytest
from mcp.client.stdio import StdioServerParameters
from mcp_types import ElicitResult
from typer.testing import CliRunner

STAGE = "ops"
AGENTS = '''
from pydantic import BaseModel

from sqswarm import Fail, TaskContext, agent


class Approval(BaseModel):
    approved: bool


@agent(topics=["notes"])
async def shout(text: str, times: int = 1) -> str:
    """Say it louder."""
    print(f"shouting {text}")
    return text.upper() * times


@agent(max_attempts=1)
async def refuse(text: str) -> str:
    """Never does it."""
    raise Fail(f"not {text}")


@agent
async def careful(text: str, *, ctx: TaskContext) -> bool:
    """Ask before it does it."""
    return (await ctx.ask("approve", f"Do {text}?", Approval)).approved
'''
FUNCTION = """
import os


def handler(event, context):
    print("handling", event)
    if event.get("fail"):
        raise ValueError("asked to fail")
    return {"echo": event, "blob": "x" * event.get("size", 0)}
"""


@pytest.fixture(scope="session")
def deployed(emulator, tmp_path_factory):
    """The swarm of this suite, on the session's emulator."""
    from sqswarm.infra.cli.app import app

    folder = tmp_path_factory.mktemp("operations")
    (folder / "pyproject.toml").write_text('[tool.sqswarm]\nagents = ["operated_agents"]\n')
    (folder / "operated_agents.py").write_text(AGENTS)
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        patch.syspath_prepend(folder)
        result = CliRunner().invoke(app, ["deploy", "--stage", STAGE])
        assert result.exit_code == 0, result.output
        sys.modules.pop("operated_agents", None)
    return emulator


@pytest.fixture(scope="session")
def aws(emulator):
    """Clients by service name."""
    from sqswarm.backends.aws.connect import client_factory, settings_from_environment

    return client_factory(settings_from_environment())


@pytest.fixture(scope="session")
def swarm(deployed):
    from dataclasses import replace

    from sqswarm import Swarm
    from sqswarm.backends.aws.connect import settings_from_environment

    with Swarm.connect(replace(settings_from_environment(), stage=STAGE)) as connected:
        yield connected


@pytest.fixture(scope="session")
def plain_function(aws):
    """Make a Lambda function that is no agent; returns its name."""

    def make(name, *, runtime="python3.11", variables=None, timeout=10):
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("main.py", FUNCTION)
        client = aws("lambda")
        client.create_function(
            FunctionName=name,
            Runtime=runtime,
            Handler="main.handler",
            Role="arn:aws:iam::000000000000:role/test",
            Code={"ZipFile": archive.getvalue()},
            Timeout=timeout,
            Environment={"Variables": variables or {}},
        )
        client.get_waiter("function_active_v2").wait(FunctionName=name, WaiterConfig={"Delay": 1})
        return name

    return make


class Assistant:
    """An MCP client that looks at results as a model does."""

    def __init__(self, client):
        self.client = client

    async def __call__(self, tool, **arguments):
        """Return the structured result; fails the test where the tool failed."""
        result = await self.client.call_tool(tool, arguments)
        assert not result.is_error, result.content[0].text
        return result.structured_content

    async def refused(self, tool, **arguments):
        """Return the text of the error that the tool must give."""
        result = await self.client.call_tool(tool, arguments)
        assert result.is_error, result.structured_content
        return result.content[0].text


def parameters(*arguments, **environment):
    return StdioServerParameters(
        command=str(Path(sys.executable).parent / "sqswarm"),
        args=["mcp", *arguments],
        env={**os.environ, "SQSWARM_STAGE": STAGE, **environment},
    )


@asynccontextmanager
async def assistant(*arguments, answers=None, mode="auto", **environment):
    """Start `sqswarm mcp` and talk to it. `answers` are what the person says, when asked."""
    asked = []

    async def person(_, params):
        asked.append(params.message)
        return answers.pop(0)

    options = {} if answers is None else {"elicitation_callback": person}
    async with mcp.Client(parameters(*arguments, **environment), mode=mode, **options) as client:
        found = Assistant(client)
        found.asked = asked
        yield found


def accept(**content):
    return ElicitResult(action="accept", content=content)


DECLINE = ElicitResult(action="decline")


def until(question, *, timeout_s=120):
    ends = time.monotonic() + timeout_s
    while time.monotonic() < ends:
        if found := question():
            return found
        time.sleep(0.2)
    return pytest.fail("it never became true")
