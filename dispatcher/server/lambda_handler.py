"""The Lambda handler of the MCP server: a Function URL's events, or a REST API's.

Nothing streams here (mangum answers with whole bodies), and nothing runs between two requests:
what goes on is the agents' business.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

from mangum import Mangum
from starlette.responses import JSONResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from sqswarm.dispatcher.server.app import AUTH, access_of, build_app, is_open
from sqswarm.dispatcher.server.identity import Identity
from sqswarm.dispatcher.server.settings import ServerSettings
from sqswarm.dispatcher.server.stage import Stage
from sqswarm.schemas.errors import InvalidSettings
from sqswarm.schemas.json import JsonObject
from sqswarm.schemas.settings import START_CHECK, Settings

API_STAGE_PATH = "/v1"
"""What a REST API puts before its paths (sqswarm.infra.template.server)."""


class LambdaDoor:
    """One warm environment: the connection, and the event loop it keeps between requests."""

    def __init__(self, environment: dict[str, str]) -> None:
        """Connect, and open the server once.

        Raises InvalidSettings where nothing would say who calls, except on an emulator.
        """
        settings = Settings.from_env(environment)
        iam = environment.get("SQSWARM_DOOR_AUTH") == "AWS_IAM"
        unguarded = is_open(environment) and not iam
        if unguarded and not settings.local:
            message = "the server's Function URL is open to everybody, and no access is configured"
            hint = f"Set {AUTH} in [tool.sqswarm.server] env, or auth = 'AWS_IAM'."
            raise InvalidSettings(message, hint=hint)
        # An emulator on this machine signs nothing, and serves nobody else.
        access = None if unguarded else access_of(environment)
        self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)  # mangum takes the thread's
        options = ServerSettings.from_env(environment, streams=False)
        stage = self._loop.run_until_complete(Stage.connect_threaded(settings, options))
        app = build_app(stage, access)
        self._loop.run_until_complete(self._open(app))
        served = IamCallers(app) if iam and access is None else app
        # Its lifespan would end with the first request, and the server starts only once.
        self._mangum = Mangum(served, lifespan="off", api_gateway_base_path=API_STAGE_PATH)

    async def _open(self, app: Any) -> None:
        """Hold the server's session manager open in a task that lives as long as the loop."""
        ready = asyncio.Event()

        async def hold() -> None:
            async with app.state.mcp.server.session_manager.run():
                ready.set()
                await asyncio.Event().wait()

        self._held = self._loop.create_task(hold())
        await ready.wait()

    def handle(self, event: JsonObject, context: Any) -> JsonObject:
        """Answer one HTTP request."""
        return self._mangum(event, context)


class IamCallers:
    """Takes IAM's word for who calls: Lambda or API Gateway has checked the signature."""

    def __init__(self, app: ASGIApp) -> None:
        """Stand before `app`."""
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Let a signed request pass; 403 for one whose event names nobody."""
        principal = principal_of(scope.get("aws.event") or {})
        if principal is None:
            await JSONResponse({"error": "not signed"}, status_code=403)(scope, receive, send)
            return
        scope.setdefault("state", {})["caller"] = Identity(principal=principal)
        await self._app(scope, receive, send)


def principal_of(event: JsonObject) -> str | None:
    """Return who signed a request: an ARN, of an assumed role without its session.

    The same that `Swarm.connect` calls itself with these credentials. Source: Lambda, "Function
    URL request payload": requestContext.authorizer.iam; API Gateway: requestContext.identity.
    """
    context = event.get("requestContext") or {}
    iam = (context.get("authorizer") or {}).get("iam") or {}
    arn = iam.get("userArn") or (context.get("identity") or {}).get("userArn")
    if not arn:
        return None
    return str(arn).rsplit("/", 1)[0] if ":assumed-role/" in arn else str(arn)


if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:  # only where this is the entry point
    _stage = LambdaDoor(dict(os.environ))

    def handle(event: JsonObject, context: Any) -> JsonObject:
        """Handle one Lambda invocation."""
        if event == START_CHECK:
            return {"started": True}
        return _stage.handle(event, context)
