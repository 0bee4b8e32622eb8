"""What the soak does inside a worker's process: notes, a clock that is wrong, duplicates.

All of it only where the environment says so (benchmarks.soak.swarm puts it there).
"""

from __future__ import annotations

import contextlib
import json
import os
import random
import threading
import time
import urllib.request
from importlib import import_module
from pathlib import Path
from typing import Any, TextIO

from sqswarm.backends.aws.caller import AioCaller, ThreadedCaller
from sqswarm.backends.runner import AsyncRunner
from sqswarm.schemas.errors import LeaseLost
from sqswarm.workers.hosts.lambda_handler import Worker
from sqswarm.workers.runtime import batch

NOTES = "SOAK_NOTES"
"""The folder of the notes: one file a process, one JSON object a line."""
SKEW_S = "SOAK_SKEW_S"
"""Each process's clock is wrong by up to so many seconds, either way."""
DUPLICATES = "SOAK_DUPLICATES"
"""The share of received messages (0 to 1) that SQS delivers again while they are worked on."""
ORDERED_TOO = "SOAK_ORDERED_TOO"
"""Set where messages of FIFO queues come again as well: each keeps its key waiting for a lease."""
EMULATOR = "SOAK_EMULATOR"
"""The emulator itself, for making duplicates: not a call of the swarm's, so not by the proxy."""
SEED = "SOAK_SEED"
EDITION = "soak_edition"
"""The module that only changed code has."""

_file: TextIO | None = None
_lock = threading.Lock()
_process = f"{os.getpid()}-{time.time_ns()}"
"""This process: its number alone may have been another's before."""


def note(what: str, **fields: Any) -> None:
    """Append a line to this process's notes, where notes are wanted."""
    global _file  # noqa: PLW0603 - one file a process, open for good
    folder = os.environ.get(NOTES)
    if folder is None:
        return
    noted = {"what": what, "at": time.time(), "pid": os.getpid(), "process": _process}
    line = json.dumps({**noted, **fields})
    with _lock:
        if _file is None:
            path = Path(folder, f"{_process}.jsonl")
            _file = path.open("a")
        _file.write(line + "\n")
        _file.flush()  # a SIGKILL loses nothing that the kernel has


def _skew_clock(limit_s: float, chance: random.Random) -> None:
    """Shift what the runtime takes for the time, leases and all, in this process."""
    offset_ms = round(1000 * chance.uniform(-limit_s, limit_s))
    honest = AsyncRunner.now_ms

    def now_ms(self: AsyncRunner) -> int:
        return honest(self) + offset_ms

    AsyncRunner.now_ms = now_ms  # type: ignore[method-assign]
    note("skew", ms=offset_ms)


def _deliver_again(share: float, emulator: str, chance: random.Random) -> None:
    """Make a share of each batch visible again when its work begins."""
    plain = Worker.handle

    def handle(self: Worker, event: Any, remaining_s: float, request_id: str = "") -> Any:
        chosen = [
            record
            for record in event.get("Records", ())
            if chance.random() < share
            and (os.environ.get(ORDERED_TOO) or not record["eventSourceARN"].endswith(".fifo"))
        ]
        if chosen:
            threading.Thread(target=_show, args=(emulator, chosen)).start()
        return plain(self, event, remaining_s, request_id)

    Worker.handle = handle  # type: ignore[method-assign]


def _show(emulator: str, records: list[Any]) -> None:
    queue = records[0]["eventSourceARN"].split(":")
    entries = [
        {"Id": str(n), "ReceiptHandle": record["receiptHandle"], "VisibilityTimeout": 0}
        for n, record in enumerate(records)
    ]
    url = f"{emulator}/{queue[4]}/{queue[5]}"
    scope = f"{os.environ['AWS_ACCESS_KEY_ID']}/20260101/{queue[3]}/sqs/aws4_request"
    request = urllib.request.Request(  # noqa: S310 - the emulator's own address
        emulator,
        data=json.dumps({"QueueUrl": url, "Entries": entries}).encode(),
        headers={
            "Content-Type": "application/x-amz-json-1.0",
            "X-Amz-Target": "AmazonSQS.ChangeMessageVisibilityBatch",
            "Authorization": "AWS4-HMAC-SHA256 "
            f"Credential={scope}, SignedHeaders=host, Signature=0",
        },
    )
    try:
        with urllib.request.urlopen(request, timeout=5) as answer:  # noqa: S310
            answer.read()
    except OSError:
        return  # then this batch meets no duplicate
    note("duplicate", count=len(records))


def _note_calls_given_up(caller: type[AioCaller | ThreadedCaller]) -> None:
    """Note the calls that failed for good, as the worker knows it: also what never got far."""
    plain = caller.call

    async def call(self: Any, service: str, operation: str, /, **params: Any) -> Any:
        try:
            return await plain(self, service, operation, **params)
        except Exception as error:
            if "ConditionalCheckFailed" not in str(error):  # that is an answer
                told = {"operation": operation, "error": repr(error), "params": repr(params)}
                note("gave-up", **told)
            raise

    caller.call = call  # type: ignore[method-assign]


def _note_leases_let_go() -> None:
    """Note the attempts that a container worker ends since their lease could not be renewed."""
    plain = batch.heartbeat  # type: ignore[attr-defined]

    async def noted(worker: Any, lease: Any, *rest: Any, **more: Any) -> Any:
        try:
            return await plain(worker, lease, *rest, **more)
        except LeaseLost:
            note("let-go", lease=None if lease is None else lease.v)
            raise

    batch.heartbeat = noted  # type: ignore[attr-defined]


def edition() -> int:
    """Return which of the deployed codes this process runs: 0 is the first."""
    with contextlib.suppress(ImportError):
        return int(import_module(EDITION).NUMBER)
    return 0


def _prepare() -> None:
    chance = random.Random(f"{os.environ.get(SEED)}-{os.getpid()}")
    _note_calls_given_up(ThreadedCaller)
    _note_calls_given_up(AioCaller)
    _note_leases_let_go()
    if limit_s := float(os.environ.get(SKEW_S) or 0):
        _skew_clock(limit_s, chance)
    if share := float(os.environ.get(DUPLICATES) or 0):
        _deliver_again(share, os.environ[EMULATOR], chance)


if SEED in os.environ:  # in the soak's workers only: elsewhere importing does nothing
    _prepare()
