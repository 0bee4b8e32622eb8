"""What users test their agents with: no AWS account, no key, no waiting.

>>> from sqswarm.testing import FakeClaude, MemorySwarm
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqswarm.testing.clock import VirtualClock
    from sqswarm.testing.fake_claude import FakeClaude
    from sqswarm.testing.memory_swarm import MemorySwarm

__all__ = ["FakeClaude", "MemorySwarm", "VirtualClock"]

_HOMES = {"FakeClaude": "fake_claude", "MemorySwarm": "memory_swarm", "VirtualClock": "clock"}

if __name__ != "sqswarm.testing":  # a second copy of every class would be the result
    raise ImportError("import sqswarm.testing: this folder cannot be imported as testing")


def __getattr__(name: str) -> Any:
    """Import a public name where it is first used: the fake Claude brings a web server along."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
