"""A real server over HTTP in a thread, an issuer of tokens, and everything that was logged."""

import contextlib
import io
import json
import logging
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import httpx2
import jwt
import uvicorn
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from starlette.applications import Starlette
from starlette.responses import JSONResponse
from starlette.routing import Route

from sqswarm.backends.log import Log
from sqswarm.dispatcher.server.auth import AuthMiddleware
from sqswarm.dispatcher.server.auth.identity import identity_of
from sqswarm.dispatcher.server.connections import uvicorn_config
from sqswarm.infra.local.isolated import free_port

AUDIENCE = "https://swarm.example.com/mcp"


class Issuer:
    """An authorization server's signing keys, published over HTTP; they can be rotated."""

    def __init__(self):
        self.fetches = 0
        self.broken = False
        self.rotate("first")
        issuer = self

        class Handler(BaseHTTPRequestHandler):
            def do_GET(self):
                issuer.fetches += 1
                if issuer.broken:
                    self.send_error(500)
                    return
                body = json.dumps(issuer.jwks()).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *arguments):
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self._server.server_port}"
        self._thread = threading.Thread(target=self._server.serve_forever)
        self._thread.start()

    def rotate(self, kid):
        self.kid = kid
        self.key = rsa.generate_private_key(public_exponent=65537, key_size=2048)

    def jwks(self):
        public = json.loads(jwt.algorithms.RSAAlgorithm.to_jwk(self.key.public_key()))
        return {"keys": [{**public, "kid": self.kid, "use": "sig", "alg": "RS256"}]}

    @property
    def public_pem(self):
        return self.key.public_key().public_bytes(
            serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo
        )

    def claims(self, sub="ada", scope="tasks:read tasks:write", **more):
        now = int(time.time())
        claims = {
            "iss": self.url,
            "aud": AUDIENCE,
            "sub": sub,
            "scope": scope,
            "iat": now,
            "exp": now + 300,
            **more,
        }
        return {name: value for name, value in claims.items() if value is not None}

    def token(self, sub="ada", *, key=None, alg="RS256", kid=None, **claims):
        headers = {"kid": kid or self.kid}
        return jwt.encode(self.claims(sub, **claims), key or self.key, alg, headers=headers)

    def environment(self):
        return {
            "SQSWARM_AUTH": "jwt",
            "SQSWARM_JWT_ISSUER": self.url,
            "SQSWARM_JWT_AUDIENCE": AUDIENCE,
            "SQSWARM_JWT_JWKS": self.url,
        }

    def close(self):
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class Served:
    """A running server: its address, a client of it, and what it wrote."""

    def __init__(self, port, stream, records):
        self.port = port
        self.url = f"http://127.0.0.1:{port}"
        self.client = httpx2.Client(base_url=self.url, timeout=60)
        self._stream = stream
        self._records = records

    def __call__(self, method, path, *, token=None, headers=(), **more):
        """Send a request; a header may be given twice."""
        given = [*headers, *([("Authorization", f"Bearer {token}")] if token else [])]
        return self.client.request(method, path, headers=given, **more)

    def refusals(self):
        """Return what was refused so far, and forget it."""
        lines = [json.loads(line) for line in self._stream.getvalue().splitlines()]
        self._stream.seek(0)
        self._stream.truncate()
        return [line for line in lines if line["event"].startswith("request.")]

    def everything_logged(self):
        return self._stream.getvalue() + "\n".join(self._records)


class _Keep(logging.Handler):
    def __init__(self, records):
        super().__init__(level=logging.DEBUG)
        self._records = records
        self.setFormatter(logging.Formatter("%(name)s %(levelname)s %(message)s"))

    def emit(self, record):
        self._records.append(self.format(record))


@contextlib.contextmanager
def serve(app_for, access_for):
    """Serve what `app_for(access)` makes, with the access that `access_for(log)` makes."""
    stream, records = io.StringIO(), []
    handler = _Keep(records)
    root = logging.getLogger()
    before = root.level
    root.addHandler(handler)
    root.setLevel(logging.DEBUG)
    port = free_port()
    access = access_for(Log.to(stream))
    config = uvicorn_config(
        app_for(access), access.limits, port=port, log_config=None, timeout_graceful_shutdown=2
    )
    server = uvicorn.Server(config)
    thread = threading.Thread(target=server.run)
    thread.start()
    while not server.started:
        assert thread.is_alive(), records
        time.sleep(0.01)
    served = Served(port, stream, records)
    try:
        yield served
    finally:
        served.client.close()
        server.should_exit = True
        thread.join()
        root.removeHandler(handler)
        root.setLevel(before)


async def who(request):
    identity = identity_of(request)
    size = len(await request.body())
    return JSONResponse(
        {
            "principal": identity.principal,
            "operator": identity.operator,
            "scopes": sorted(identity.scopes),
            "size": size,
        }
    )


async def crash(_request):
    raise ZeroDivisionError


def guarded_echo(access):
    """The echo behind AuthMiddleware."""
    return AuthMiddleware(echo(), access)


def echo():
    """An application that says who called it, and one that cannot."""
    paths = ["/who", "/mcp", "/tasks", "//mcp"]
    told = [Route(path, who, methods=["GET", "POST"]) for path in paths]
    return Starlette(routes=[*told, Route("/crash", crash, methods=["POST"])])
