"""The way through: agents, and the runtime that acquires, runs and settles their tasks."""

from schemas.agent_spec import Subscription
from workers.agent import Agent, agent
from workers.context import TaskContext
from workers.outcome import Fail, Retry

__all__ = ["Agent", "Fail", "Retry", "Subscription", "TaskContext", "agent"]
