"""The way in: submit tasks, publish events, and follow what becomes of them."""

from dispatcher.aio import AsyncSwarm, AsyncTask
from dispatcher.client import Swarm, Task
from dispatcher.mapping import Done
from dispatcher.view import TaskView

__all__ = ["AsyncSwarm", "AsyncTask", "Done", "Swarm", "Task", "TaskView"]
