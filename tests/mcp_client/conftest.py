"""A remote MCP server of its own process, which can be stopped and started again."""

import json
import socket
import subprocess
import sys
import time
import urllib.request
from pathlib import Path

import pytest

from sqswarm.infra.local.isolated import free_port


class Remote:
    """The server of remote_server.py."""

    def __init__(self, folder, token=None):
        self.port = free_port()
        self.path = folder / "book.json"
        self.token = token
        self.url = f"http://127.0.0.1:{self.port}/mcp"
        self.start()

    def start(self):
        script = Path(__file__).with_name("remote_server.py")
        arguments = [str(self.port), str(self.path), *([self.token] if self.token else [])]
        self.process = subprocess.Popen([sys.executable, str(script), *arguments])
        ends = time.monotonic() + 60
        while time.monotonic() < ends:
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
            except OSError:
                time.sleep(0.05)
            else:
                return
        pytest.fail("the remote server did not start")

    def stop(self):
        self.process.kill()
        self.process.wait()

    def fail(self, count):
        urllib.request.urlopen(f"http://127.0.0.1:{self.port}/fail?n={count}").close()

    @property
    def made(self):
        """The tasks it has made: tool and idempotency key of each."""
        calls = self.path.with_suffix(".calls")
        return (
            [json.loads(line) for line in calls.read_text().splitlines()] if calls.exists() else []
        )

    @property
    def tasks(self):
        return json.loads(self.path.read_text())


@pytest.fixture
def remote(tmp_path):
    server = Remote(tmp_path)
    yield server
    server.stop()
