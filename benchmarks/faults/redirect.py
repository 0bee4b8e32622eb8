"""Redirect: point deployed functions at another endpoint, and tell them more if need be."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

_PATIENCE_S = 60
_THREADS = 4


def redirect(functions: Any, names: Sequence[str], variables: Mapping[str, str]) -> None:
    """Add `variables` to the environment of each function; the next invocation has them.

    `functions` is a boto3 client of Lambda. An endpoint in a function's own environment comes
    before the emulator's. Raises TimeoutError where an update does not finish.
    """

    def change(name: str) -> None:
        known = functions.get_function_configuration(FunctionName=name)
        kept = known.get("Environment", {}).get("Variables", {})
        functions.update_function_configuration(
            FunctionName=name, Environment={"Variables": {**kept, **variables}}
        )
        ends = time.monotonic() + _PATIENCE_S
        while True:
            seen = functions.get_function_configuration(FunctionName=name)
            if seen.get("LastUpdateStatus") == "Successful":
                return
            if time.monotonic() > ends:
                message = f"the update of {name} has not finished: {seen.get('LastUpdateStatus')}"
                raise TimeoutError(message)
            time.sleep(0.1)

    with ThreadPoolExecutor(_THREADS) as pool:
        list(pool.map(change, names))


def shorten_visibility(queues: Any, urls: Mapping[str, int]) -> None:
    """Set the visibility time-out (seconds) of queues by URL; `queues` is a client of SQS.

    A deployment's is six times the function time-out, as AWS advises; the protocol needs only
    more than the lease, so that a lost attempt comes back sooner.
    """
    for url, seconds in urls.items():
        queues.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": str(seconds)})
