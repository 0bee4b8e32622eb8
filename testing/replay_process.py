"""Replay journals in a process of their own: `python -m sqswarm.testing.replay_process MODULE…`.

`{"path": [folders], "journals": [...]}` comes on standard input, and a line of JSON goes to
standard output for each journal: `{"taskId", "agent", "misfit": {…} | null, "error": text | null}`.
A misfit is where the code does otherwise than is recorded; an error says that it cannot be told.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Mapping
from typing import Any

from sqswarm.schemas.errors import SwarmError
from sqswarm.schemas.task import TaskRecord
from sqswarm.testing.journals import replay
from sqswarm.workers.agent import AnyAgent
from sqswarm.workers.registry import load_agents
from sqswarm.workers.runtime.outcome import NonDeterministic

_CALLS = frozenset(
    {
        "socket.connect",
        "socket.sendto",
        "subprocess.Popen",
        "os.system",
        "os.exec",
        "os.posix_spawn",
    }
)
_UNFIT = ("InvalidArguments:",)


def calls_nothing() -> None:
    """Let nothing reach out of this process from now on: what stands outside steps runs for real.

    For the rest of the process: Python takes no such hook back.
    """

    def refuse(event: str, _: tuple[Any, ...]) -> None:
        if event in _CALLS:
            message = f"a replay calls nothing ({event})"
            raise PermissionError(message)

    sys.addaudithook(refuse)


def replayed(journal: Mapping[str, Any], agents: Mapping[str, AnyAgent]) -> dict[str, Any]:
    """Return what became of one journal under the code of today."""
    record = TaskRecord.from_item(journal["task"])
    told: dict[str, Any] = {"taskId": record.task_id, "agent": record.agent}
    told |= {"misfit": None, "error": None}
    agent = agents.get(record.agent)
    if agent is None:
        why = f"the agent {record.agent!r} is not among the code's agents any more"
        return {**told, "misfit": {"why": why}}
    if not (agent.is_async and agent.signature.takes_context):
        return told  # it records nothing, and would only be run
    try:
        how = replay(dict(journal), agent)
    except NonDeterministic as error:
        misfit = {name: value for name, value in vars(error.misfit).items() if value is not None}
        return {**told, "misfit": misfit}
    except SwarmError as error:
        return {**told, "error": str(error)}
    if how.error is not None and how.error.startswith(_UNFIT):
        return {**told, "misfit": {"why": how.error}}
    return {**told, "error": how.error}


def main() -> int:
    """Replay what comes on standard input; what agents print goes to standard error."""
    said = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    given = json.load(sys.stdin)
    sys.path[:0] = given["path"]
    sys.dont_write_bytecode = True
    agents = load_agents(sys.argv[1:])
    calls_nothing()
    for journal in given["journals"]:
        said.write(json.dumps(replayed(journal, agents)) + "\n")
        said.flush()
    return 0


if __name__ == "__main__":
    sys.exit(main())
