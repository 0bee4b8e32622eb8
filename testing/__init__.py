"""What users test their agents with: no AWS account, no key, no waiting.

>>> from sqswarm.testing import FakeClaude, MemorySwarm
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sqswarm.testing.clock import VirtualClock
    from sqswarm.testing.fake_claude import FakeClaude
    from sqswarm.testing.faults import Duplicate, Failure, Kill, Moment, Throttle
    from sqswarm.testing.journals import Replayed, export_journal, replay
    from sqswarm.testing.kills import kill_everywhere
    from sqswarm.testing.local_aws import LocalAws
    from sqswarm.testing.memory_swarm import MemorySwarm, MemoryTask

__all__ = [
    "Duplicate",
    "Failure",
    "FakeClaude",
    "Kill",
    "LocalAws",
    "MemorySwarm",
    "MemoryTask",
    "Moment",
    "Replayed",
    "Throttle",
    "VirtualClock",
    "export_journal",
    "kill_everywhere",
    "replay",
]

_HOMES = {
    "Duplicate": "faults",
    "Failure": "faults",
    "FakeClaude": "fake_claude",
    "Kill": "faults",
    "LocalAws": "local_aws",
    "MemorySwarm": "memory_swarm",
    "MemoryTask": "memory_swarm",
    "Moment": "faults",
    "Replayed": "journals",
    "Throttle": "faults",
    "VirtualClock": "clock",
    "export_journal": "journals",
    "kill_everywhere": "kills",
    "replay": "journals",
}

if __name__ != "sqswarm.testing":  # a second copy of every class would be the result
    raise ImportError("import sqswarm.testing: this folder cannot be imported as testing")


def __getattr__(name: str) -> Any:
    """Import a public name where it is first used: the fake Claude brings a web server along."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = value
    return value
