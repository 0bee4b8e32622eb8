"""The fixture swarm, deployed once a session, and servers of its server."""

import contextlib
import json
import os
import signal
import subprocess
import sys
import threading
from dataclasses import replace
from http.client import HTTPConnection
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle
from pathlib import Path
from urllib.parse import urlsplit

import pytest

SWARM = Path(__file__).parents[1] / "conformance" / "fixture_swarm"
STAGE = "server"


@pytest.fixture(scope="session")
def server_stage(emulator):
    """Deploy the fixture agents and the Lambda server; return the settings of their stage."""
    from sqswarm.backends.aws.connect import settings_from_environment
    from sqswarm.infra.deploy import Reports, deploy
    from sqswarm.infra.plan import plan
    from sqswarm.infra.project import find_project

    settings = replace(settings_from_environment(), stage=STAGE)
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(SWARM))
        done = deploy(settings, plan(find_project(SWARM), stage=STAGE), Reports())
    assert done.server_url
    return settings, done.server_url


@contextlib.contextmanager
def serving(settings, *, module="sqswarm.infra.cli.app", env=None, arguments=()):
    """Run `sqswarm serve` as a process of its own and yield it, with its `url`."""
    run = f"from {module} import main; main()"
    process = subprocess.Popen(
        [sys.executable, "-c", run, "--json", "serve", "--port", "0", *arguments],
        env={
            **os.environ,
            "SQSWARM_STAGE": settings.stage,
            "PYTHONPATH": os.pathsep.join(sys.path),
            **(env or {}),
        },
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        told = ""
        for line in process.stdout:
            told += line
            if line.startswith("}"):
                break
        process.url = json.loads(told)["url"]
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        process.stdout.close()


@pytest.fixture(scope="session")
def served(server_stage):
    """The address of one running `sqswarm serve`."""
    settings, _ = server_stage
    with serving(settings) as process:
        yield process.url


@pytest.fixture(scope="session")
def lambda_server(server_stage):
    """An address of the Lambda server: its own needs a name that few machines resolve."""
    settings, url = server_stage
    port = urlsplit(settings.endpoint_url).port  # an emulator's URL need not have it
    with forwarding([url], port=port) as address:
        yield f"{address}/mcp"


@contextlib.contextmanager
def forwarding(targets, *, port=None):
    """Pass each request to the next of `targets` in turn, with that one's Host header."""
    turns, lock = cycle(targets), threading.Lock()

    class Forwarder(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            with lock:
                target = urlsplit(next(turns))
            body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
            connection = HTTPConnection("127.0.0.1", port or target.port, timeout=60)
            with contextlib.closing(connection):
                connection.putrequest(
                    self.command, self.path, skip_host=True, skip_accept_encoding=True
                )
                connection.putheader("Host", target.netloc)
                for name, value in self.headers.items():
                    if name.lower() not in {"host", "connection"}:
                        connection.putheader(name, value)
                connection.endheaders(body)
                answer = connection.getresponse()
                content, headers = answer.read(), answer.getheaders()
            self.send_response(answer.status)
            for name, value in headers:
                if name.lower() not in {"transfer-encoding", "content-length", "connection"}:
                    self.send_header(name, value)
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        do_GET = do_POST  # noqa: N815

        def log_message(self, *_):
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Forwarder)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
