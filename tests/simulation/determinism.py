"""What the code under test reads from the outside world is the storm's own: time and chance."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from unittest.mock import patch

import sqswarm.dispatcher.lifecycle.children
import sqswarm.dispatcher.submit
import sqswarm.schemas.ids
import sqswarm.workers.durable.context
import sqswarm.workers.runtime.batch


class _Time:
    def __init__(self, monotonic: Callable[[], float]) -> None:
        self.monotonic = monotonic


class _Secrets:
    def __init__(self, chance: random.Random) -> None:
        self._chance = chance

    def randbits(self, bits: int) -> int:
        return self._chance.getrandbits(bits)

    def token_urlsafe(self, size: int) -> str:
        return self.token_hex(size)

    def token_hex(self, size: int) -> str:
        return f"{self._chance.getrandbits(8 * size):0{2 * size}x}"


@contextmanager
def deterministic(chance: random.Random, monotonic: Callable[[], float]) -> Iterator[None]:
    """Give the protocol code virtual time, and versions and ids of the storm's seed."""
    secrets, time = _Secrets(chance), _Time(monotonic)
    places: list[tuple[Any, str, Any]] = [
        (sqswarm.schemas.ids, "secrets", secrets),
        (sqswarm.dispatcher.submit, "secrets", secrets),
        (sqswarm.dispatcher.lifecycle.children, "secrets", secrets),
        (sqswarm.workers.runtime.batch, "time", time),
        (sqswarm.workers.durable.context, "time", time),
    ]
    patches = [patch.object(module, name, value) for module, name, value in places]
    for one in patches:
        one.start()
    try:
        yield
    finally:
        for one in patches:
            one.stop()
