"""Workers that die: `die=N` in a prompt kills the process once N steps are recorded."""

import os
import re
import signal
from contextvars import ContextVar

from workers import steps
from workers.claude import agent as claude_agent

_left: ContextVar[list[int] | None] = ContextVar("left", default=None)
_record, _converse = steps._record, claude_agent.converse


async def record(journal, operation, name, text):
    kept = await _record(journal, operation, name, text)
    left = _left.get()
    if left is not None:
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)
    return kept


async def converse(mind, prompt, ctx):
    wanted = re.search(r"die=(\d+)", prompt)
    if wanted and ctx.attempt == 1:
        _left.set([int(wanted[1])])
    return await _converse(mind, prompt, ctx)


steps._record, claude_agent.converse = record, converse
