"""Swarms of AI agents on plain AWS serverless parts: SNS, SQS, Lambda, DynamoDB.

>>> from sqswarm import agent, TaskContext, Retry, Fail, ClaudeAgent, Budget   # writing agents
>>> from sqswarm import Swarm, AsyncSwarm                                      # calling agents

Each name is imported where it is first used (PEP 562): a worker starts without the client, a client
without the runtime, and neither loads MCP or Claude before it needs them.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqswarm.dispatcher.async_client import AsyncSwarm
    from sqswarm.dispatcher.async_task import AsyncTask
    from sqswarm.dispatcher.client import Swarm
    from sqswarm.dispatcher.async_map_run import AsyncMapRun
    from sqswarm.dispatcher.map import Done
    from sqswarm.dispatcher.map_results import RunRow
    from sqswarm.dispatcher.map_run import MapRun
    from sqswarm.dispatcher.middleware import Middleware, add_middleware, remove_middleware
    from sqswarm.dispatcher.submit import Request
    from sqswarm.dispatcher.task import Task
    from sqswarm.dispatcher.view import TaskView
    from sqswarm.dispatcher.otel import Tracing
    from sqswarm.schemas.agent_spec import Limit, Schedule, Subscription
    from sqswarm.schemas.as_tool import AsTool
    from sqswarm.schemas.errors import (
        AskDeclined,
        AskTimedOut,
        AttemptCancelled,
        ChildFailed,
        LeaseLost,
        ReceiveTimedOut,
        RemoteFailed,
        StepFailed,
        SwarmError,
    )
    from sqswarm.schemas.budget import Budget
    from sqswarm.schemas.map_run import RunCounts
    from sqswarm.schemas.heard import (
        Attempt,
        Batch,
        Step,
        Submission,
        TaskEnd,
        ToolUse,
        Turn,
    )
    from sqswarm.schemas.timeline import Span, Timeline
    from sqswarm.workers.agent import Agent, agent
    from sqswarm.workers.claude.agent import ClaudeAgent
    from sqswarm.workers.claude.config import McpServer
    from sqswarm.workers.claude.tools import Tool, ask_person, tool
    from sqswarm.workers.durable.context import TaskContext
    from sqswarm.workers.runtime.outcome import Fail, Retry

__all__ = [
    "Agent",
    "AsTool",
    "AskDeclined",
    "AskTimedOut",
    "AsyncMapRun",
    "AsyncSwarm",
    "AsyncTask",
    "Attempt",
    "AttemptCancelled",
    "Batch",
    "Budget",
    "ChildFailed",
    "ClaudeAgent",
    "Done",
    "Fail",
    "LeaseLost",
    "Limit",
    "MapRun",
    "McpServer",
    "Middleware",
    "ReceiveTimedOut",
    "RemoteFailed",
    "Request",
    "Retry",
    "RunCounts",
    "RunRow",
    "Schedule",
    "Span",
    "Step",
    "StepFailed",
    "Submission",
    "Subscription",
    "Swarm",
    "SwarmError",
    "Task",
    "TaskContext",
    "TaskEnd",
    "TaskView",
    "Timeline",
    "Tool",
    "ToolUse",
    "Tracing",
    "Turn",
    "add_middleware",
    "agent",
    "ask_person",
    "remove_middleware",
    "tool",
]

_HOMES = {
    "Agent": "workers.agent",
    "AsTool": "schemas.as_tool",
    "AskDeclined": "schemas.errors",
    "AskTimedOut": "schemas.errors",
    "AsyncMapRun": "dispatcher.async_map_run",
    "AsyncSwarm": "dispatcher.async_client",
    "AsyncTask": "dispatcher.async_task",
    "Attempt": "schemas.heard",
    "AttemptCancelled": "schemas.errors",
    "Batch": "schemas.heard",
    "Budget": "schemas.budget",
    "ChildFailed": "schemas.errors",
    "ClaudeAgent": "workers.claude.agent",
    "Done": "dispatcher.map",
    "Fail": "workers.runtime.outcome",
    "LeaseLost": "schemas.errors",
    "Limit": "schemas.agent_spec",
    "MapRun": "dispatcher.map_run",
    "McpServer": "workers.claude.config",
    "Middleware": "dispatcher.middleware",
    "ReceiveTimedOut": "schemas.errors",
    "RemoteFailed": "schemas.errors",
    "Request": "dispatcher.submit",
    "Retry": "workers.runtime.outcome",
    "RunCounts": "schemas.map_run",
    "RunRow": "dispatcher.map_results",
    "Schedule": "schemas.agent_spec",
    "Span": "schemas.timeline",
    "Step": "schemas.heard",
    "StepFailed": "schemas.errors",
    "Submission": "schemas.heard",
    "Subscription": "schemas.agent_spec",
    "Swarm": "dispatcher.client",
    "SwarmError": "schemas.errors",
    "Task": "dispatcher.task",
    "TaskContext": "workers.durable.context",
    "TaskEnd": "schemas.heard",
    "TaskView": "dispatcher.view",
    "Timeline": "schemas.timeline",
    "Tool": "workers.claude.tools",
    "ToolUse": "schemas.heard",
    "Tracing": "dispatcher.otel",
    "Turn": "schemas.heard",
    "add_middleware": "dispatcher.middleware",
    "agent": "workers.agent",
    "ask_person": "workers.claude.tools",
    "remove_middleware": "dispatcher.middleware",
    "tool": "workers.claude.tools",
}


def __getattr__(name: str) -> Any:
    """Import a public name where it is first used."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    """Return the public names."""
    return [*__all__]
