"""The way through: agents, and the runtime that acquires, runs and settles their tasks."""

from schemas.agent_spec import Schedule, Subscription
from schemas.as_tool import AsTool
from schemas.errors import (
    AskDeclined,
    AskTimedOut,
    AttemptCancelled,
    ChildFailed,
    LeaseLost,
    RemoteFailed,
    StepFailed,
)
from workers.agent import Agent, agent
from workers.context import TaskContext
from workers.outcome import Fail, Retry

__all__ = [
    "Agent",
    "AsTool",
    "AskDeclined",
    "AskTimedOut",
    "AttemptCancelled",
    "ChildFailed",
    "Fail",
    "LeaseLost",
    "RemoteFailed",
    "Retry",
    "Schedule",
    "StepFailed",
    "Subscription",
    "TaskContext",
    "agent",
]
