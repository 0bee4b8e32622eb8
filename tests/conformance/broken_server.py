"""`sqswarm serve` with one of its rules taken out: SQSWARM_BROKEN says which."""

import os
import time

from sqswarm.dispatcher.server.mcp import tasks
from sqswarm.infra.cli import app

OLD_S = 1.0


def forget_capabilities():
    tasks.require_client_extension = lambda ctx, identifier: None


def forget_the_name_header():
    tasks.check_name_header = lambda ctx, task_id: None


def read_an_old_copy():
    """Answer reads as a copy of the table would that is a second behind."""
    fresh = tasks.own_task

    async def stale(connection, task_id):
        record = await fresh(connection, task_id)
        if time.time() * 1000 - record.created_ms < 1000 * OLD_S:
            return await fresh(connection, "0199c2f0-5d3c-7c3e-8f43-2f6a1c0d9e11")
        return record

    tasks.own_task = stale


def main():
    globals()[os.environ["SQSWARM_BROKEN"]]()
    app.main()
