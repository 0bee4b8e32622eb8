"""Sessions: a conversation that goes on over several tasks of one principal."""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import sha256
from typing import TYPE_CHECKING

from sqswarm.backends.redact import hide_all
from sqswarm.schemas.json import NESTING_LIMIT, JsonObject, canonical, dumps, size_bytes
from sqswarm.schemas.session import BYTES_LIMIT, History
from sqswarm.schemas.writes import Refused
from sqswarm.workers.runtime.outcome import Fail, Retry

if TYPE_CHECKING:
    from sqswarm.workers.durable.context import TaskContext
    from sqswarm.workers.durable.journal import Journal

_TRIES = 20


class Session:
    """One session, as a task sees it: `messages` reads once, `append` writes once."""

    def __init__(self, ctx: TaskContext, journal: Journal, session_id: str, *, tokens: int) -> None:
        """Open `session_id`; nothing is read yet."""
        self._ctx = ctx
        self._worker = journal.worker
        self._tokens = tokens
        self._history = History(
            agent=journal.lease.agent, principal=ctx.principal, session_id=session_id
        )
        self._read = False

    @property
    def session_id(self) -> str:
        """Return its id."""
        return self._history.session_id

    async def messages(self) -> list[JsonObject]:
        """Return the newest messages within the session's tokens; the same on every attempt."""

        async def version() -> int:
            return (await self._load()).v

        upto = await self._ctx.step(f"session {self.session_id}"[:200], version)
        history = self._history if self._read else await self._load()
        return history.messages(upto=upto, tokens=self._tokens)

    async def append(self, messages: Sequence[JsonObject]) -> None:
        """Append messages once, together, after whatever others appended meanwhile.

        Without secrets, as all that is recorded.
        """
        said = list(messages)
        try:
            size = size_bytes(dumps(said, place="messages", nesting=NESTING_LIMIT))
        except ValueError as error:
            message = f"what is appended to a session is not JSON that can be kept: {error}"
            raise Fail(message, type="InvalidSession") from error
        said = hide_all(said)
        if size > BYTES_LIMIT:
            message = (
                f"{size:,} bytes are appended to a session at a time; it holds {BYTES_LIMIT:,}"
            )
            raise Fail(message, type="InvalidSession")
        said = hide_all(said)
        by = f"{self._ctx.task_id}/{sha256(canonical(said).encode()).hexdigest()[:16]}"

        async def remembered() -> bool:
            history = self._history if self._read else await self._load()
            for _ in range(_TRIES):
                if history.holds(by):
                    return True
                write = history.append(
                    said, by=by, tokens=self._tokens, now_ms=self._worker.now_ms()
                )
                outcome = await self._worker.store.write(write)
                if not isinstance(outcome, Refused):
                    self._read = False
                    return True
                history = history.of_item(outcome.item)
                await self._worker.runner.sleep(0.02 * self._worker.runner.jitter())
            message = f"session {self.session_id!r} is too busy"
            raise Retry(message)

        await self._ctx.step(f"remember {self.session_id}"[:200], remembered)

    async def export(self) -> JsonObject:
        """Return all of it as JSON, as it is now."""
        return (await self._load()).to_json()

    async def delete(self) -> None:
        """Forget all of it."""
        for _ in range(_TRIES):
            write = (await self._load()).forget(now_ms=self._worker.now_ms())
            if not isinstance(await self._worker.store.write(write), Refused):
                self._read = False
                return

    async def _load(self) -> History:
        self._history = self._history.of_item(await self._worker.store.read(self._history.key))
        self._read = True
        return self._history
