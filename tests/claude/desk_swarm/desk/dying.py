"""Workers that die: `die=N` in a prompt kills the process once the task has N steps recorded.

Counted in a file, over all workers of the task: so each task is killed exactly once.
"""

import os
import re
import signal
import tempfile
from contextvars import ContextVar
from pathlib import Path

from sqswarm.workers.claude import agent as claude_agent
from sqswarm.workers.durable import step

_at: ContextVar[int] = ContextVar("at", default=0)
_record, _converse = step._record, claude_agent.converse


async def record(*told, **options):
    journal, _, name, *_ = told
    kept = await _record(*told, **options)
    if _at.get() and recorded_so_far(journal.lease.task_id, name) == _at.get():
        os.kill(os.getpid(), signal.SIGKILL)
    return kept


def recorded_so_far(task_id, name):
    path = Path(tempfile.gettempdir(), f"sqswarm-steps-{task_id}")
    with path.open("a") as file:
        file.write(f"{name}\n")
    return len(path.read_text().splitlines())


async def converse(config, prompt, ctx):
    wanted = re.search(r"die=(\d+)", prompt)
    _at.set(int(wanted[1]) if wanted else 0)
    return await _converse(config, prompt, ctx)


step._record, claude_agent.converse = record, converse
