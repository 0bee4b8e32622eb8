"""The MCP server of operations: built for one stage, run over stdio or streamable HTTP."""

from __future__ import annotations

from importlib.metadata import version
from typing import Any

from mcp.server import MCPServer
from mcp.server.mcpserver.exceptions import ToolError, UnexpectedToolError
from mcp.server.mcpserver.tools import Tool
from pydantic import ValidationError

from sqswarm.infra.admin_mcp.context import AdminContext
from sqswarm.infra.admin_mcp.failure import invalid_arguments
from sqswarm.infra.admin_mcp.tools import OperationTool, tools

NAME = "sqswarm-operations"
LOOPBACK = "127.0.0.1"


def build(context: AdminContext) -> MCPServer:
    """Return the server with the tools of `context`; nothing is asked of AWS yet."""
    return MCPServer(
        name=NAME,
        title="sqswarm operations",
        description="Look after a swarm of agents and the AWS Lambda functions of one account.",
        instructions=_instructions(context),
        version=version("sqswarm"),
        log_level="WARNING",
        subscriptions=False,
        tools=[_served(tool) for tool in tools(context)],
    )


class _Tool(Tool):
    """The SDK's tool, but for what a model reads when its arguments do not fit."""

    async def run(self, arguments: dict[str, Any], *args: Any, **kwargs: Any) -> Any:
        """Run the tool; raises ToolError."""
        try:
            return await super().run(arguments, *args, **kwargs)
        except UnexpectedToolError:
            raise
        except ToolError as error:
            if not isinstance(error.__cause__, ValidationError):
                raise
            raise invalid_arguments(self.name, self.parameters, error.__cause__) from error


def _served(tool: OperationTool) -> Tool:
    made = _Tool.from_function(
        tool.safe,
        name=tool.name,
        title=tool.title,
        description=tool.description,
        annotations=tool.annotations,
    )
    # Left alone, the SDK drops arguments it does not know: a misspelt filter would filter nothing.
    arguments = made.fn_metadata.arg_model
    arguments.model_config["extra"] = "forbid"
    arguments.model_rebuild(force=True)
    made.parameters = arguments.model_json_schema(by_alias=True)
    return made


def run_stdio(context: AdminContext) -> None:
    """Serve one client on stdin and stdout until it goes. Logs go to stderr."""
    build(context).run("stdio")


def run_http(context: AdminContext, *, port: int) -> None:
    """Serve at http://127.0.0.1:PORT/mcp until interrupted.

    On loopback only: there is no authentication. AuthMiddleware refuses what a web page could have
    a browser send (foreign Host, Origin or Sec-Fetch-Site).
    """
    import uvicorn

    from sqswarm.dispatcher.server.auth import Access, AuthMiddleware
    from sqswarm.dispatcher.server.connections import uvicorn_config

    access = Access()
    app = AuthMiddleware(build(context).streamable_http_app(), access)
    uvicorn.Server(uvicorn_config(app, access.limits, host=LOOPBACK, port=port)).run()


def _instructions(context: AdminContext) -> str:
    rights = (
        "Tools that change things are served."
        if context.writes
        else "Read-only: tools that change anything are not served. To get them, the user restarts "
        "the server with `sqswarm mcp --allow-writes`."
    )
    return (
        f"Works on {context.where}, swarm stage {context.settings.stage!r}; both are fixed. "
        f"{rights}\n"
        "A swarm: agents (typed functions) take tasks from queues; a task is working, "
        "input_required, completed, failed or cancelled. What was given up lies in an agent's "
        "dead-letter queue.\n"
        "Where something is wrong: get-stats first (which agent?), then list-dead-letters or "
        "list-tasks with status=failed (why?), then read-logs (what did it print?). Mend the "
        "cause before redrive-dead-letters.\n"
        "Lambda tools (list-functions and others) reach every function of the account and region, "
        "not only the swarm's."
    )
