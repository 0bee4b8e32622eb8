"""Together: what several ask for at about one time goes into one call."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Callable, Coroutine, Sequence
from typing import Any, Generic, TypeVar

from sqswarm.backends.runner import attempt, is_straight

T = TypeVar("T")
R = TypeVar("R")

_AT_ONCE = 4
"""Calls under way at a time. Who asks meanwhile shares the next: the busier, the fewer calls."""


class Together(Generic[T, R]):
    """Calls that take several items, shared by those who ask on one event loop at a time.

    Nobody waits for company: a call goes out at the loop's next turn, unless enough are under way.
    Where one fails that was for several, each asks alone: an error is its asker's only.
    """

    def __init__(self, call: Callable[[Sequence[T]], Coroutine[Any, Any, R]], *, size: int) -> None:
        """Share `call`, which is best made for up to `size` items."""
        self._call = call
        self._size = size
        self._asked: deque[tuple[Sequence[T], asyncio.Future[R]]] = deque()
        self._under_way: set[asyncio.Task[None]] = set()

    async def ask(self, items: Sequence[T]) -> R:
        """Return what a call answers that had these items, and maybe others' beside them."""
        if is_straight() or len(items) >= self._size:
            return await self._call(items)
        answer: asyncio.Future[R] = asyncio.get_running_loop().create_future()
        self._asked.append((items, answer))
        self._go_on()
        return await answer

    def _go_on(self) -> None:
        if self._asked and len(self._under_way) < _AT_ONCE:
            task = asyncio.get_running_loop().create_task(self._carry())
            self._under_way.add(task)
            task.add_done_callback(self._over)

    def _over(self, task: asyncio.Task[None]) -> None:
        self._under_way.discard(task)
        if not task.cancelled():
            self._go_on()

    async def _carry(self) -> None:
        """Make one call for as many as it takes."""
        askers: list[tuple[Sequence[T], asyncio.Future[R]]] = []
        room = self._size
        while self._asked and len(self._asked[0][0]) <= room:
            items, answer = self._asked.popleft()
            if not answer.done():  # cancelled: nobody waits for it
                askers.append((items, answer))
                room -= len(items)
        if not askers:  # another call took them along
            return
        try:
            await self._answer(askers)
        finally:  # where this is cancelled, so is who waits for it
            for _, answer in askers:
                answer.cancel()

    async def _answer(self, askers: Sequence[tuple[Sequence[T], asyncio.Future[R]]]) -> None:
        told = await attempt(self._call([item for items, _ in askers for item in items]))
        for items, answer in askers:
            own = told
            if isinstance(told, Exception) and len(askers) > 1:
                own = await attempt(self._call(items))
            if answer.done():
                continue
            if isinstance(own, Exception):
                answer.set_exception(own)
            else:
                answer.set_result(own)
