"""Who asks decides what is there."""

import contextlib
import json

import httpx2
import pytest
from rpc import Rpc, RpcError

from sqswarm.dispatcher.server.app import build_app
from sqswarm.dispatcher.server.auth import Access
from sqswarm.dispatcher.server.auth.identity import Identity, identity_of
from sqswarm.dispatcher.server.context import ServerContext, ServerSettings
from sqswarm.schemas.errors import InvalidSettings

USER = frozenset({"tasks:read", "tasks:write"})
ADA = Identity(principal="ada", scopes=USER)


class ByHeader:
    """An authenticator that believes what a header says."""

    challenge = None

    async def authenticate(self, scope):
        who = dict(scope["headers"]).get(b"x-principal", b"nobody").decode()
        return Identity(principal=who, operator=who == "root", scopes=USER)


@contextlib.asynccontextmanager
async def principals_of(settings):
    """Serve in this process and yield a function: principal → client."""
    async with contextlib.AsyncExitStack() as stack:
        context = await ServerContext.connect(settings, ServerSettings())
        stack.push_async_callback(context.close)
        app = build_app(context, Access(authenticator=ByHeader()))
        await stack.enter_async_context(app.router.lifespan_context(app))
        transport = httpx2.ASGITransport(app)

        def rpc(principal):
            headers = {"x-principal": principal}
            return Rpc("http://127.0.0.1:1/mcp", transport=transport, headers=headers)

        yield rpc


@pytest.mark.localstack
async def test_anothers_task_is_answered_exactly_like_an_unknown_one(server_stage):
    settings, _ = server_stage
    async with principals_of(settings) as as_principal:
        await check_principals(as_principal)


async def check_principals(as_principal):
    ada, bo, root = as_principal("ada"), as_principal("bo"), as_principal("root")
    task_id = (await ada.call("slow_compute", {"seconds": 0}))["taskId"]
    unknown = "0199c2f0-5d3c-7c3e-8f43-2f6a1c0d9e11"
    for method, more in (
        ("tasks/get", {}),
        ("tasks/cancel", {}),
        ("tasks/update", {"inputResponses": {}}),
    ):
        answers = []
        for asked in (task_id, unknown, "no id at all"):
            with pytest.raises(RpcError) as error:
                await bo(method, taskId=asked, **more)
            answers.append((error.value.code, error.value.status, error.value.data))
            assert str(error.value) == f"Task not found: {asked}"
        assert set(answers) == {(-32602, 400, None)}
    for uri in (f"task://{task_id}", f"task://{task_id}/result"):
        with pytest.raises(RpcError):
            await bo("resources/read", uri=uri)
    with pytest.raises(RpcError):
        await bo.call("greet", {}, requestState=f"{task_id}.0")
    assert (await ada.until(task_id))["status"] == "completed"
    assert (await root("tasks/get", taskId=task_id))["status"] == "completed"


@pytest.mark.localstack
async def test_a_new_deployment_is_seen(server_stage):
    import boto3

    from sqswarm.schemas.catalogue import CATALOGUE_KEY

    settings, _ = server_stage
    context = await ServerContext.connect(settings, ServerSettings(catalogue_s=0))
    bucket = context.connection(ADA).names.bucket
    s3 = boto3.client("s3")
    kept = s3.get_object(Bucket=bucket, Key=CATALOGUE_KEY)["Body"].read()
    fewer = json.loads(kept)
    fewer["agents"] = [agent for agent in fewer["agents"] if agent["name"] != "greet"]
    try:
        assert "greet" in (await context.refresh()).agents
        s3.put_object(Bucket=bucket, Key=CATALOGUE_KEY, Body=json.dumps(fewer))
        assert "greet" not in (await context.refresh()).agents
        assert "greet" not in context.connection(ADA).catalogue.agents
        s3.delete_object(Bucket=bucket, Key=CATALOGUE_KEY)
        assert "slow_compute" in (await context.refresh()).agents  # better old than none
    finally:
        s3.put_object(Bucket=bucket, Key=CATALOGUE_KEY, Body=kept)
        await context.close()


@pytest.mark.localstack
@pytest.mark.parametrize("header", ["Host", "Origin"])
async def test_a_web_page_that_reaches_this_machine_is_refused(served, header):
    async with httpx2.AsyncClient() as http:
        evil = await http.post(served, headers={header: "http://evil.example"}, json={})
    assert evil.status_code in {403, 421}


@pytest.mark.localstack
def test_nobody_but_this_machine_is_served_without_access(server_stage, capsys):
    from typer.testing import CliRunner

    from sqswarm.infra.cli.app import app

    result = CliRunner().invoke(app, ["serve", "--host", "0.0.0.0"])
    assert result.exit_code == 2
    assert "no access is configured" in result.stderr


def test_a_request_that_passed_no_middleware_is_nobodys():
    with pytest.raises(PermissionError):
        identity_of({"type": "http", "state": {}})


def test_settings_come_from_the_environment():
    assert ServerSettings.from_env({"SQSWARM_SERVER_WAIT_S": "2.5"}).wait_s == 2.5
    with pytest.raises(InvalidSettings, match="SQSWARM_SERVER_WAIT_S"):
        ServerSettings.from_env({"SQSWARM_SERVER_WAIT_S": "soon"})
