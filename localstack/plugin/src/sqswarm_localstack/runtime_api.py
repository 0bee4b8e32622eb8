"""The Lambda Runtime API of one execution environment, served by the thread that invokes it.

The runtime interface client talks to it over HTTP: it asks for the next invocation, posts the
response or the error, and asks again. An environment handles one invocation at a time, so no
server thread is needed: whoever waits for the function reads its requests here, and sees at once
when the process dies.

Whoever could ask for the next invocation would get its payload, and could answer for the function.
So the address ends in a path that only the process is told.
"""

import contextlib
import os
import secrets
import selectors
import socket
import time
from dataclasses import dataclass, field
from http import HTTPStatus

from sqswarm_localstack import gate

_HEADER_END = b"\r\n\r\n"
_READ_BYTES = 65536
# One answer may be 6 MB; a runtime that does not read it for this long is not coming back.
_WRITE_TIMEOUT_S = 30
_MAX_HEADER_BYTES = 65536
_REFUSAL = b"HTTP/1.1 403 Forbidden\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"


class StrangerError(Exception):
    """Somebody else than the runtime sent a request, or something that is none."""


@dataclass(frozen=True, kw_only=True)
class ApiRequest:
    """One complete HTTP request of the runtime."""

    method: str
    path: str
    headers: dict[str, str]
    body: bytes
    connection: "_Connection"


@dataclass(eq=False)
class _Connection:
    """A socket and what was read from it that is not yet a whole request."""

    sock: socket.socket
    secret: str
    buffer: bytearray = field(default_factory=bytearray)
    continued: bool = False

    def take_request(self) -> ApiRequest | None:
        """Cut one request from the buffer, or None while it is incomplete.

        Raises StrangerError as soon as it shows that it is not the runtime's.
        """
        end = self.buffer.find(_HEADER_END)
        if end < 0:
            if len(self.buffer) > _MAX_HEADER_BYTES:
                raise StrangerError
            return None
        first, *lines = self.buffer[:end].decode("latin-1").split("\r\n")
        method, _, target = first.partition(" ")
        pairs = (line.partition(":") for line in lines)
        headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
        secret, _, path = target.partition(" ")[0].removeprefix("/").partition("/")
        known = secrets.compare_digest(secret.encode(), self.secret.encode())
        if not known or gate.is_foreign(headers):
            raise StrangerError
        start = end + len(_HEADER_END)
        length = int(headers.get("content-length", "0"))
        if len(self.buffer) < start + length:
            if headers.get("expect", "").lower() == "100-continue" and not self.continued:
                # curl asks before it sends a large result, and waits a second without an answer.
                self.continued = True
                self.sock.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
            return None
        body = bytes(self.buffer[start : start + length])
        del self.buffer[: start + length]
        self.continued = False
        return ApiRequest(
            method=method, path=f"/{path}", headers=headers, body=body, connection=self
        )


class RuntimeApi:
    """Listens on a free port of the loopback interface for one runtime."""

    def __init__(self) -> None:
        """Listen at once: the process needs the address to start."""
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._listener.setblocking(False)
        self._secret = secrets.token_urlsafe(24)
        self._selector = selectors.DefaultSelector()
        self._selector.register(self._listener, selectors.EVENT_READ)
        self._ready: list[ApiRequest] = []
        self._pidfd: int | None = None

    @property
    def address(self) -> str:
        """The value of AWS_LAMBDA_RUNTIME_API."""
        host, port = self._listener.getsockname()[:2]
        return f"{host}:{port}/{self._secret}"

    def next_request(self, *, timeout_s: float) -> ApiRequest | None:
        """Wait for a whole request; None when time is up or the watched process died."""
        deadline = time.monotonic() + timeout_s
        while not self._ready:
            remaining = deadline - time.monotonic()
            if remaining <= 0:
                return None
            died = False
            for key, _ in self._selector.select(remaining):
                if key.fileobj is self._listener:
                    self._accept()
                elif key.fileobj == self._pidfd:
                    died = True
                else:
                    self._read(key.data)
            if died and not self._ready:
                return None
        return self._ready.pop(0)

    def watch_process(self, pid: int) -> None:
        """Wake up at once when the process dies. Linux only."""
        self._pidfd = os.pidfd_open(pid)
        self._selector.register(self._pidfd, selectors.EVENT_READ)

    def reply(
        self,
        request: ApiRequest,
        status: HTTPStatus,
        *,
        body: bytes = b"",
        headers: dict[str, str] | None = None,
    ) -> None:
        """Answer a request. Raises OSError when the runtime is gone."""
        lines = [f"HTTP/1.1 {status.value} {status.phrase}"]
        # The interface client crashes (segfault) on an answer without a Content-Type.
        fields = {"Content-Type": "application/json", **(headers or {})}
        fields["Content-Length"] = str(len(body))
        lines += [f"{name}: {value}" for name, value in fields.items()]
        request.connection.sock.sendall("\r\n".join(lines).encode("latin-1") + _HEADER_END + body)

    def close(self) -> None:
        """Close the port and every connection; a second time does nothing."""
        # The map is gone once the selector was closed.
        for key in list((self._selector.get_map() or {}).values()):
            with contextlib.suppress(OSError):
                if isinstance(key.fileobj, int):
                    os.close(key.fileobj)
                else:
                    key.fileobj.close()  # type: ignore[attr-defined]
        self._selector.close()

    def _accept(self) -> None:
        with contextlib.suppress(BlockingIOError):
            sock, _ = self._listener.accept()
            sock.settimeout(_WRITE_TIMEOUT_S)
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._selector.register(sock, selectors.EVENT_READ, _Connection(sock, self._secret))

    def _read(self, connection: _Connection) -> None:
        """Read what is there; forget the connection when the other side closed it."""
        try:
            data = connection.sock.recv(_READ_BYTES)
        except OSError:
            data = b""
        connection.buffer += data
        try:
            while request := connection.take_request():
                self._ready.append(request)
        except StrangerError:
            with contextlib.suppress(OSError):
                connection.sock.send(_REFUSAL)
            data = b""
        if not data:
            self._selector.unregister(connection.sock)
            connection.sock.close()
