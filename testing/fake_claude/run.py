"""FakeClaude: the Messages API played from a script, in a thread beside a test or an example."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from collections.abc import Iterator

import uvicorn

from sqswarm.schemas.json import JsonObject
from sqswarm.testing.fake_claude.assertions import AskedClaude
from sqswarm.testing.fake_claude.script import Script

_START_S = 10.0


class FakeClaude(AskedClaude):
    """A running server. Point agents at `base_url`; assert afterwards what it was asked."""

    def __init__(self, script: Script, *, host: str = "127.0.0.1", port: int = 0) -> None:
        """Bind `port` (0: a free one); `start` serves it."""
        super().__init__(script)
        self._socket = socket.socket()
        self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._socket.bind((host, port))
        config = uvicorn.Config(self.app, log_level="warning", lifespan="off", ws="none")
        self._server = uvicorn.Server(config)
        self._thread = threading.Thread(
            target=self._server.run, kwargs={"sockets": [self._socket]}, daemon=True
        )

    @property
    def base_url(self) -> str:
        """Return the address that stands for https://api.anthropic.com."""
        host, port = self._socket.getsockname()
        return f"http://{host}:{port}"

    def start(self) -> None:
        """Serve in a thread; returns once requests are answered."""
        self._thread.start()
        ends = time.monotonic() + _START_S
        while not self._server.started:
            if time.monotonic() > ends:
                message = "the fake Claude did not start"
                raise TimeoutError(message)
            time.sleep(0.005)

    def join(self) -> None:
        """Wait until the server ends."""
        self._thread.join()

    def stop(self) -> None:
        """Stop serving."""
        self._server.should_exit = True
        self._thread.join(timeout=_START_S)
        self._socket.close()


@contextlib.contextmanager
def fake_claude(script: Script | JsonObject | str) -> Iterator[FakeClaude]:
    """Serve a script, or a conversation as text, until the block ends."""
    claude = FakeClaude(Script())
    claude.plays(script)
    claude.start()
    try:
        yield claude
    finally:
        claude.stop()
