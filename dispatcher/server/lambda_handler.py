"""The Lambda handler of the MCP server: a Function URL's events, or a REST API's.

Nothing streams here (mangum answers with whole bodies), and nothing runs between two requests:
what goes on is the agents' business.
"""

from __future__ import annotations

import asyncio
import os
from typing import Any

from mangum import Mangum

from sqswarm.dispatcher.server.app import build_app
from sqswarm.dispatcher.server.auth import access_from_environment
from sqswarm.dispatcher.server.context import ServerContext, ServerSettings
from sqswarm.dispatcher.tracing import flush_traces
from sqswarm.schemas.json import JsonObject
from sqswarm.schemas.settings import START_CHECK, Settings

API_STAGE_PATH = "/v1"
"""What a REST API puts before its paths (sqswarm.infra.template.server)."""


class LambdaServer:
    """One warm environment: the connection, and the event loop it keeps between requests."""

    def __init__(self, environment: dict[str, str]) -> None:
        """Connect, and start the application once; raises as `access_from_environment` does."""
        access = access_from_environment(environment)
        self._loop = asyncio.new_event_loop()
        asyncio.set_event_loop(self._loop)  # mangum takes the thread's
        settings = Settings.from_env(environment)
        options = ServerSettings.from_env(environment, streams=False)
        context = self._loop.run_until_complete(ServerContext.connect_threaded(settings, options))
        app = build_app(context, access)
        self._loop.run_until_complete(self._start(app))
        # Its lifespan would end with the first request, and the application starts only once.
        self._mangum = Mangum(app, lifespan="off", api_gateway_base_path=API_STAGE_PATH)

    async def _start(self, app: Any) -> None:
        """Hold the SDK's session manager open in a task that lives as long as the loop."""
        ready = asyncio.Event()

        async def hold() -> None:
            async with app.state.mcp.server.session_manager.run():
                ready.set()
                await asyncio.Event().wait()

        self._held = self._loop.create_task(hold())
        await ready.wait()

    def handle(self, event: JsonObject, context: Any) -> JsonObject:
        """Answer one HTTP request."""
        try:
            return self._mangum(event, context)
        finally:
            self._loop.run_until_complete(flush_traces())


if "AWS_LAMBDA_FUNCTION_NAME" in os.environ:  # only where this is the entry point
    _server = LambdaServer(dict(os.environ))

    def handle(event: JsonObject, context: Any) -> JsonObject:
        """Handle one Lambda invocation."""
        if event == START_CHECK:
            return {"started": True}
        return _server.handle(event, context)
