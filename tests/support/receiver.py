"""A webhook's receiver on this machine: it answers as it is told, and keeps what it was told."""

from __future__ import annotations

import ssl
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer


class Receiver:
    """Answers each request with the next of `answers`, then with 204.

    An answer is a status, a status with headers, or seconds to say nothing for.
    """

    def __init__(self, port):
        self.port = port
        self.answers = []
        self.got = []

    def next(self):
        return self.answers.pop(0) if self.answers else 204

    @property
    def url(self):
        return f"http://127.0.0.1:{self.port}/hook?from=sqswarm"


@contextmanager
def receiver(tls=None):
    """Run one; `tls` is a certificate's and its key's file."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self):
            body = self.rfile.read(int(self.headers["content-length"]))
            here.got.append((self.path, dict(self.headers), body))
            answer = here.next()
            headers = {}
            if isinstance(answer, float):
                time.sleep(answer)
                return
            if isinstance(answer, tuple):
                answer, headers = answer
            text = b"" if answer == 204 else b"not today"
            self.send_response(answer)
            for name, value in headers.items():
                self.send_header(name, value)
            if text:
                self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    if tls is not None:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(*tls)
        server.socket = context.wrap_socket(server.socket, server_side=True)
    here = Receiver(server.server_port)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield here
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
