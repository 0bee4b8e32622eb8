"""Counts what a function process asks of AWS, in a file that the test reads."""

import os
from pathlib import Path
from typing import Any

from botocore.client import BaseClient

from sqswarm.workers.hosts.lambda_handler import Worker


def count_into(path: str) -> None:
    """Append each API call's name, and `invoke` for each invocation, to the file at `path`."""
    call, handle = BaseClient._make_api_call, Worker.handle

    def note(line: str) -> None:
        with Path(path).open("a") as file:
            file.write(line + "\n")

    def counted_call(self: Any, operation: str, params: Any) -> Any:
        note(operation)
        return call(self, operation, params)

    def counted_handle(self: Any, event: Any, *more: Any) -> Any:
        note("invoke")
        return handle(self, event, *more)

    BaseClient._make_api_call = counted_call
    Worker.handle = counted_handle  # type: ignore[method-assign]


if "PROBE_CALLS" in os.environ:
    count_into(os.environ["PROBE_CALLS"])
