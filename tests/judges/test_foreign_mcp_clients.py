"""MCP clients of others, as their users run them, against `sqswarm serve` and a Function URL."""

import contextlib
import json
import os
import sys
import threading
from base64 import b64decode, b64encode
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest
from mcp import Client, StdioServerParameters
from sigv4 import ARN, KEY_ID, SECRET, signer_of

from sqswarm.dispatcher.server.lambda_handler import LambdaServer

pytestmark = [pytest.mark.proof, pytest.mark.localstack]

HERE = Path(__file__).parent
UVX = str(Path(sys.executable).with_name("uvx"))


def test_fastmcps_client_runs_short_and_long_tasks_answers_and_cancels(served, judge):
    script = str(HERE / "fastmcp_client.py")
    said = json.loads(judge("--with", "fastmcp-tasks==4.1.4", "python", script, served))
    assert said["short"] == "short took 0.1 s"
    assert said["long"] == "long took 6.0 s"
    assert said["took"] >= 6
    assert said["question"] == "a.txt is deleted"
    assert said["before"] == "working"
    assert said["cancelled"] == "cancelled"


@contextlib.contextmanager
def function_url(settings):
    """Serve our Lambda function as a Function URL with AWS_IAM does, and yield its address."""
    env = {
        **os.environ,
        "AWS_LAMBDA_FUNCTION_NAME": "sqswarm-server-dispatcher",
        "SQSWARM_AUTH": "iam",
        "SQSWARM_STAGE": settings.stage,
    }
    ready, made = threading.Event(), []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            host = self.headers["Host"]
            url = f"http://{host}{self.path}"
            arn = signer_of(self.command, url, self.headers.items(), body)
            seen.append(arn)
            if arn is None:
                self._answer(403, b'{"Message":"Forbidden"}', {"Content-Type": "application/json"})
                return
            event = {
                "version": "2.0",
                "rawPath": self.path,
                "rawQueryString": "",
                "headers": {name.lower(): value for name, value in self.headers.items()},
                "requestContext": {
                    "domainName": host,
                    "http": {
                        "method": self.command,
                        "path": self.path,
                        "sourceIp": "203.0.113.9",
                    },
                    "authorizer": {"iam": {"userArn": arn}},
                },
                "body": b64encode(body).decode(),
                "isBase64Encoded": True,
            }
            answer = made[0].handle(event, None)
            text = answer.get("body") or ""
            content = b64decode(text) if answer.get("isBase64Encoded") else text.encode()
            self._answer(answer["statusCode"], content, answer["headers"])

        do_GET = do_DELETE = do_POST  # noqa: N815

        def _answer(self, status, content, headers):
            self.send_response(status)
            for name, value in headers.items():
                if name.lower() != "content-length":
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_):
            """Say nothing."""

    seen = []
    server = HTTPServer(("127.0.0.1", 0), Handler)

    def run():
        made.append(LambdaServer(env))  # with the event loop of the thread that calls it
        ready.set()
        server.serve_forever()

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    assert ready.wait(60)
    try:
        yield f"http://127.0.0.1:{server.server_port}/mcp", seen
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


def proxy(url, *, secret):
    """Return how to start AWS's proxy, as an mcp.json has it."""
    return StdioServerParameters(
        command=UVX,
        args=["--quiet", "mcp-proxy-for-aws==1.7.0", url, "--service", "lambda"],
        env={
            **os.environ,
            "AWS_ACCESS_KEY_ID": KEY_ID,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_REGION": "us-east-1",
        },
    )


async def test_awss_proxy_signs_to_a_function_url(server_stage):
    settings, _ = server_stage
    with function_url(settings) as (url, seen):
        async with Client(proxy(url, secret=SECRET)) as client:
            tools = {tool.name for tool in (await client.list_tools()).tools}
            result = await client.call_tool("greet", {"name": "Ada"})
            slow = await client.call_tool("slow_compute", {"seconds": 1, "label": "tea"})
        assert {"greet", "slow_compute", "task_result"} <= tools
        assert result.content[0].text == "Hello, Ada!"
        assert slow.content[0].text == "tea took 1.0 s"
        assert set(seen) == {ARN}


async def test_a_wrong_secret_gets_nowhere(server_stage):
    settings, _ = server_stage
    with function_url(settings) as (url, seen):
        tools = []
        with contextlib.suppress(Exception):  # the proxy ends, or says so
            async with Client(proxy(url, secret="wrong")) as client:
                tools = (await client.list_tools()).tools
        assert tools == []
        assert seen
        assert set(seen) == {None}
