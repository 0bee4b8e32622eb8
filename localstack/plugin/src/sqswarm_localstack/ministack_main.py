"""Start ministack behind our gate: ``python -m sqswarm_localstack.ministack_main``.

ministack takes any credentials, and runs functions with its own interpreter, whose packages are not
the project's, and has no setting for either.
"""

import os
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from contextvars import ContextVar
from typing import Any

from sqswarm_localstack import gate

Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

_HEALTH = {"/_ministack/health", "/_localstack/health"}
# What ministack looks at before the addresses of functions, whatever the host.
_BEFORE_FUNCTIONS = (
    "_handle_pre_body_request",
    "_handle_post_body_shortcuts",
    "_handle_s3_control_request",
    "_handle_rds_data_request",
    "_handle_ses_v2_request",
    "_handle_ecr_registry_request",
    "_handle_cloudfront_dataplane_request",
)
_BEFORE_FUNCTIONS_PATHS = ("/_ministack", "/iceberg", "/WriteGetObjectResponse")

_for_a_function: ContextVar[bool] = ContextVar("for_a_function", default=False)


def main() -> None:
    """Set the gate up, then hand over to ministack until it is told to stop."""
    # What ministack compares with where AUTH=true has it verify signatures.
    os.environ["AWS_ACCESS_KEY_ID"] = gate.key_id()
    os.environ["AWS_SECRET_ACCESS_KEY"] = gate.secret()
    sys.executable = os.environ.pop("SQSWARM_FUNCTION_PYTHON")
    from ministack import app as server
    from ministack.core import lambda_runtime
    from ministack.services import iam

    _issue_known_keys(server, lambda_runtime, iam)
    for name in _BEFORE_FUNCTIONS:
        setattr(server, name, _not_for_functions(getattr(server, name)))
    server.app = _guarded(server, server.app)
    server.main()


def _issue_known_keys(server: Any, lambda_runtime: Any, iam: Any) -> None:
    """Give the secret to functions and to who gets credentials, and read the account of a key."""
    for name in ("_gen_access_key_id", "_gen_session_access_key"):
        stock = getattr(iam, name)
        setattr(iam, name, lambda stock=stock: stock() + gate.secret())
    set_account = server.set_request_account_id
    server.set_request_account_id = lambda key: set_account(gate.account_of(key) or key)
    credentials = lambda_runtime.execution_credentials

    def execution_credentials(config: dict[str, Any]) -> dict[str, str]:
        given = credentials(config)
        key = given["AWS_ACCESS_KEY_ID"]
        if not server.AUTH:
            return {**given, "AWS_ACCESS_KEY_ID": gate.key_id(key)}
        from ministack.services import sts

        known = key + gate.secret()
        sts.register_session(known, sts._sessions.pop(key))  # noqa: SLF001
        return {**given, "AWS_ACCESS_KEY_ID": known}

    lambda_runtime.execution_credentials = execution_credentials


def _not_for_functions(stock: Callable[..., Awaitable[Any]]) -> Callable[..., Awaitable[Any]]:
    async def handle(*args: Any, **options: Any) -> Any:
        return None if _for_a_function.get() else await stock(*args, **options)

    return handle


def _guarded(server: Any, stock: Callable[..., Awaitable[None]]) -> Callable[..., Awaitable[None]]:
    """Return the application behind the gate."""

    async def app(scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await stock(scope, receive, send)
            return
        headers = {
            name.decode("latin-1").lower(): value.decode("latin-1")
            for name, value in scope["headers"]
        }
        query = scope["query_string"].decode("latin-1")
        why = gate.refusal(headers, query, is_public=False)
        if why and (address := _public(server, scope, headers)):
            why = gate.refusal(headers, query, is_public=True)
            _for_a_function.set(address == "function")
        if why:
            await _refuse(scope, receive, send, gate.refuse(headers, why))
            return
        await stock(scope, receive, send)

    return app


def _public(server: Any, scope: Message, headers: dict[str, str]) -> str | None:
    """Return what an address that needs no key is: "health", "function", or None for no such."""
    path = scope["path"]
    if path in _HEALTH and scope["type"] == "http" and scope["method"] in {"GET", "HEAD"}:
        return "health"
    if path.startswith(_BEFORE_FUNCTIONS_PATHS):
        return None
    host = headers.get("host", "")
    if server._parse_execute_api_url(host, path) or server._parse_lambda_url(host, path):  # noqa: SLF001
        return "function"
    return None


async def _refuse(
    scope: Message, receive: Receive, send: Send, answer: tuple[dict[str, str], bytes]
) -> None:
    if scope["type"] == "websocket":
        await receive()
        await send({"type": "websocket.close", "code": 1008})
        return
    told, body = answer
    headers = [(name.encode(), value.encode()) for name, value in told.items()]
    headers.append((b"content-length", str(len(body)).encode()))
    await send({"type": "http.response.start", "status": 403, "headers": headers})
    await send({"type": "http.response.body", "body": body})


if __name__ == "__main__":
    main()
