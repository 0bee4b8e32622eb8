"""Resources: the catalogue, and the caller's own tasks by their ids."""

from __future__ import annotations

import re

import mcp_types as types
from mcp.shared.exceptions import MCPError

from sqswarm.dispatcher.server.auth.identity import identity_of
from sqswarm.dispatcher.server.context import ServerContext
from sqswarm.dispatcher.server.mcp.request_context import RequestContext, own_task
from sqswarm.dispatcher.server.mcp.wire import json_rpc_error, status_of, tool_result
from sqswarm.dispatcher.view import open_view
from sqswarm.schemas.json import JsonObject, dumps
from sqswarm.schemas.lifecycle import Status

CATALOGUE = "sqswarm://catalogue"
_TASK = re.compile(r"task://([0-9a-f-]{36})(/result)?")
_JSON = "application/json"


class Resources:
    """What can be read beside the tools. Tasks are not listed: that would read the whole table."""

    def __init__(self, context: ServerContext) -> None:
        """Serve the catalogue and the tasks of `context`."""
        self._context = context

    async def list(
        self, ctx: RequestContext, params: types.PaginatedRequestParams | None
    ) -> types.ListResourcesResult:
        """Return the one resource that has a fixed address."""
        del ctx, params
        catalogue = types.Resource(
            uri=CATALOGUE,
            name="catalogue",
            title="Deployed agents",
            description="Every agent with its schemas, topics, limits and schedules.",
            mime_type=_JSON,
        )
        return types.ListResourcesResult(resources=[catalogue])

    async def templates(
        self, ctx: RequestContext, params: types.PaginatedRequestParams | None
    ) -> types.ListResourceTemplatesResult:
        """Return the addresses of tasks."""
        del ctx, params
        addresses = (
            ("task://{id}", "task", "A task: status, progress, open questions, error."),
            ("task://{id}/result", "task-result", "The result of a task that has ended."),
        )
        return types.ListResourceTemplatesResult(
            resource_templates=[
                types.ResourceTemplate(
                    uri_template=address, name=name, description=what, mime_type=_JSON
                )
                for address, name, what in addresses
            ]
        )

    async def read(
        self, ctx: RequestContext, params: types.ReadResourceRequestParams
    ) -> types.ReadResourceResult:
        """Return a resource as JSON; raises -32602 for one that is not there for this caller."""
        uri = str(params.uri)
        text = types.TextResourceContents(
            uri=uri, mime_type=_JSON, text=dumps(await self._content(ctx, uri))
        )
        return types.ReadResourceResult(contents=[text])

    async def _content(self, ctx: RequestContext, uri: str) -> JsonObject:
        if uri == CATALOGUE:
            return {"agents": [e.to_json() for e in self._context.catalogue.agents.values()]}
        address = _TASK.fullmatch(uri)
        if address is None:
            raise _not_found(uri)
        connection = self._context.connection(identity_of(ctx.request))
        try:
            record = await own_task(connection, address[1])
        except MCPError as error:
            raise _not_found(uri) from error
        view = await open_view(connection, record)
        if not address[2]:
            return view.to_json()
        match status_of(record):
            case Status.COMPLETED:
                return tool_result(view)
            case Status.FAILED:
                return {"error": json_rpc_error(record)}
            case _:
                raise _not_found(uri)


def _not_found(uri: str) -> MCPError:
    """Return the error for what is not there. Source: SEP-2164."""
    return MCPError(
        code=types.INVALID_PARAMS, message=f"Resource not found: {uri[:200]}", data={"uri": uri}
    )
