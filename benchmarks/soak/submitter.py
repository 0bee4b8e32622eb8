"""A dispatcher process: submits the rows of a file and writes down each handle that it got.

`python -m benchmarks.soak.submitter ROWS HANDLES [--die]`: with `--die` it is killed, by SIGKILL,
when its records are written and before anything is published.
"""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

from benchmarks.soak.order import Row, load
from sqswarm import Request, Swarm
from sqswarm.backends.aws.bus import AwsBus
from sqswarm.schemas.errors import SwarmError

DUE_GRACE_S = "SOAK_DUE_GRACE_S"
"""How soon housekeeping looks after a recorded task: a minute, where this is not set."""

_A_CALL = 50
_PATIENCE_S = 240
"""Longer than any outage of a soak."""
_PAUSE_S = 0.3


async def _die(*_: Any, **__: Any) -> None:
    os.kill(os.getpid(), signal.SIGKILL)


def _chunks(rows: Sequence[Row]) -> Iterator[list[Row]]:
    for _, group in groupby(sorted(rows, key=lambda row: row.agent), lambda row: row.agent):
        of_agent = list(group)
        yield from (of_agent[n : n + _A_CALL] for n in range(0, len(of_agent), _A_CALL))


def _request(row: Row) -> Request:
    return Request(arguments=row.arguments, idempotency_key=row.key, ordering_key=row.ordering_key)


def _submit(swarm: Swarm, rows: list[Row]) -> list[str]:
    """Submit, and again where AWS was not to be had: then nobody has a handle of the first."""
    from botocore.exceptions import BotoCoreError, ClientError

    ends = time.monotonic() + _PATIENCE_S
    while True:
        try:
            return [t.id for t in swarm.submit_many(rows[0].agent, [_request(r) for r in rows])]
        except (SwarmError, ClientError, BotoCoreError):
            if time.monotonic() > ends:
                raise
            time.sleep(_PAUSE_S)


def _connect() -> Swarm:
    ends = time.monotonic() + _PATIENCE_S
    while True:
        try:
            return Swarm.connect()
        except Exception:  # whatever a fault makes of it
            if time.monotonic() > ends:
                raise
            time.sleep(_PAUSE_S)


def main(rows_path: str, handles_path: str, *flags: str) -> None:
    """Submit what the file holds."""
    import sqswarm.dispatcher.submit

    if grace_s := os.environ.get(DUE_GRACE_S):
        sqswarm.dispatcher.submit.DUE_GRACE_MS = round(1000 * float(grace_s))
    with _connect() as swarm, Path(handles_path).open("a") as handles:
        if "--die" in flags:
            AwsBus.publish = _die  # type: ignore[method-assign]
        for rows in _chunks(load(Path(rows_path))):
            ids = _submit(swarm, rows)
            handles.writelines(
                json.dumps({"row": row.number, "task": task_id}) + "\n"
                for row, task_id in zip(rows, ids, strict=True)
            )
            handles.flush()


if __name__ == "__main__":
    main(*sys.argv[1:])
