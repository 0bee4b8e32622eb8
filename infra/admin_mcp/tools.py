"""Catalogue: the list of tools, each with what a model has to know before it calls it."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from mcp.server.mcpserver import Context
from mcp_types import ToolAnnotations

from sqswarm.infra.admin_mcp.context import AdminContext
from sqswarm.infra.admin_mcp.failure import with_fix
from sqswarm.infra.admin_mcp.shape import LOOKS


@dataclass(frozen=True, kw_only=True)
class OperationTool:
    """One tool. Its function's docstring is its description for the model."""

    name: str
    title: str
    function: Callable[..., Any]
    annotations: ToolAnnotations = field(default_factory=lambda: LOOKS)

    @property
    def writes(self) -> bool:
        """Tell whether it changes anything: such tools are served only where that is allowed."""
        return not self.annotations.read_only_hint

    @property
    def description(self) -> str:
        """Return the docstring, without its indentation."""
        return inspect.getdoc(self.function) or ""

    @property
    def safe(self) -> Callable[..., Any]:
        """Return the function with its errors told."""
        return with_fix(self.function)


def can_ask(ctx: Context) -> bool:
    """Tell whether the client puts forms to its user.

    An empty `elicitation` capability means forms: it is the shape from before there were modes.
    """
    capabilities = ctx.client_capabilities
    elicitation = capabilities.elicitation if capabilities else None
    return elicitation is not None and (elicitation.form is not None or elicitation.url is None)


def tools(context: AdminContext) -> Iterator[OperationTool]:
    """Yield the tools that `context` serves."""
    from sqswarm.infra.admin_mcp import (
        agents,
        bulk,
        dead_letters,
        functions,
        invoke,
        logs,
        questions,
        queues,
        runtime_info,
        runtime_update,
        stats,
        tasks,
        usage,
    )

    groups = (
        agents, tasks, bulk, questions, stats, queues, dead_letters, logs, usage,
        functions, runtime_info, invoke, runtime_update,
    )  # fmt: skip
    for group in groups:
        for tool in group.tools(context):
            if context.writes or not tool.writes:
                yield tool
