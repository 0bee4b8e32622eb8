"""The way in: submit tasks, publish events, and follow what becomes of them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from dispatcher.aio import AsyncSwarm, AsyncTask
    from dispatcher.client import Swarm, Task
    from dispatcher.mapping import Done
    from dispatcher.submit import Request
    from dispatcher.view import TaskView

__all__ = ["AsyncSwarm", "AsyncTask", "Done", "Request", "Swarm", "Task", "TaskView"]

_HOMES = {
    "AsyncSwarm": "aio",
    "AsyncTask": "aio",
    "Done": "mapping",
    "Request": "submit",
    "Swarm": "client",
    "Task": "client",
    "TaskView": "view",
}


def __getattr__(name: str) -> Any:
    """Import a public name where it is first used (PEP 562): workers need few of them."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
