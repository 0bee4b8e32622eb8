"""Map: one agent over many rows, published in batches, results streamed as they come."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice
from typing import Any, Generic

from sqswarm.dispatcher.connection import Connection
from sqswarm.dispatcher.follow import Follower
from sqswarm.dispatcher.submit import Request, submit
from sqswarm.dispatcher.typed import Parse, R
from sqswarm.dispatcher.view import TaskView, ending_error
from sqswarm.schemas.errors import InvalidReturn, SwarmError
from sqswarm.schemas.lifecycle import Status

_IN_FLIGHT = 2000
_A_PUBLISH = 200


@dataclass(frozen=True, kw_only=True)
class Done(Generic[R]):
    """One row's end: `value` if its task completed, else `error`, to raise or to read."""

    index: int
    task_id: str
    status: Status
    value: R | None = None
    error: SwarmError | None = None
    view: TaskView

    def result(self) -> R:
        """Return the value, or raise the error."""
        if self.error is not None:
            raise self.error
        value: Any = self.value
        return value  # type: ignore[no-any-return] # None too may be what it returned


class Mapping:
    """A map in progress: `advance` publishes what fits and returns what has ended."""

    def __init__(
        self,
        connection: Connection,
        agent: str,
        rows: Iterable[Any],
        *,
        ordered: bool,
        timeout_s: float | None,
        parse: Parse | None = None,
        notify: str | Sequence[str] | None = None,
    ) -> None:
        """Map `agent` over `rows`, read lazily; at most 2,000 tasks are in flight."""
        self._notify = notify
        self._connection = connection
        self._agent = agent
        self._rows: Iterator[Any] = iter(rows)
        self._ordered = ordered
        self._parse = parse
        self._follower = Follower(connection, timeout_s=timeout_s)
        self._index_of: dict[str, int] = {}
        self._held: dict[int, Done[Any]] = {}
        self._submitted = 0
        self._yielded = 0
        self._more = True
        if isinstance(rows, Sequence):  # all can be known to be good before any is published
            validator = connection.validator(connection.catalogue.agent(agent))
            self._rows = iter(
                [
                    validator.encode(row, what=f"arguments of row {number}")[1]
                    for number, row in enumerate(rows)
                ]
            )

    @property
    def finished(self) -> bool:
        """True once every row's end has been returned."""
        return not self._more and self._yielded == self._submitted

    async def advance(self) -> list[Done[Any]]:
        """Return rows that have ended (in the rows' order if `ordered`); may be none yet.

        Raises InvalidArguments naming the row, TimedOut, and whatever `submit` raises.
        """
        while self._more and len(self._index_of) < _IN_FLIGHT:
            await self._publish_some()
            if views := await self._follower.look():
                return self._released(views)
        return self._released(await self._follower.ended())

    async def _publish_some(self) -> None:
        rows = list(islice(self._rows, _A_PUBLISH))
        self._more = len(rows) == _A_PUBLISH
        if not rows:
            return
        start = self._submitted
        requests = [Request(arguments=row, notify=self._notify) for row in rows]
        submitted = await submit(self._connection, self._agent, requests, first_row=start)
        self._submitted += len(rows)
        self._index_of.update({s.task_id: n for n, s in enumerate(submitted, start)})
        self._follower.add((s.task_id for s in submitted), agent=self._agent)

    def _released(self, views: list[TaskView]) -> list[Done[Any]]:
        ended = [self._done(view) for view in views]
        if not self._ordered:
            self._yielded += len(ended)
            return ended
        self._held.update({done.index: done for done in ended})
        ready: list[Done[Any]] = []
        while self._yielded in self._held:
            ready.append(self._held.pop(self._yielded))
            self._yielded += 1
        return ready

    def _done(self, view: TaskView) -> Done[Any]:
        error = ending_error(view.record)
        value = None if error else view.result()
        if self._parse is not None and error is None:
            try:
                value = self._parse(value)
            except InvalidReturn as wrong:  # the row's own failure, as the others' results count
                value, error = None, wrong
        return Done(
            index=self._index_of.pop(view.id),
            task_id=view.id,
            status=view.status,
            value=value,
            error=error,
            view=view,
        )
