"""Limits: what one principal may take of this server, so that its flood costs the others nothing.

Everything is counted in this process, from what it has seen itself: a limit costs no request to
AWS. Each process counts by itself, and on Lambda each environment (docs/access.md, "Limits").
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, fields
from itertools import islice
from math import ceil
from typing import Any

from sqswarm.dispatcher.connection import Connection
from sqswarm.dispatcher.view import find_many
from sqswarm.schemas.errors import InvalidSettings, SwarmError

PREFIX = "SQSWARM_LIMIT_"

PRINCIPALS = 1_000
REMEMBERED_TASKS = 200_000
"""What is remembered of all principals together; who was silent the longest is forgotten first."""

_LOOK_AT = 100
"""Tasks that one look asks about. Source: BatchGetItem takes 100 keys."""

_LOOK_EVERY_S = 1.0
_UNSEEN_S = 3600.0
"""How long a task without a record counts: no worker has taken it yet, or it is long gone."""


@dataclass(frozen=True, kw_only=True)
class Limits:
    """What each principal may have at this server, and what all connections may (the last three).

    Set by SQSWARM_LIMIT_REQUESTS and so on.
    """

    requests: int = field(default=100, metadata={"of": "requests a second"})
    open: int = field(default=100, metadata={"of": "requests and streams open at once"})
    subscriptions: int = field(default=500, metadata={"of": "tasks that streams follow"})
    tasks: int = field(default=10_000, metadata={"of": "tasks that have not ended"})
    delayed: int = field(default=1_000, metadata={"of": "delayed tasks that wait"})
    read_s: int = field(default=30, metadata={"of": "seconds for a request's head, or body"})
    connections: int = field(default=1_000, metadata={"of": "connections"})
    peer_connections: int = field(default=200, metadata={"of": "connections of one address"})

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Limits:
        """Return the limits that `env` sets; raises InvalidSettings for what is no number."""
        given: dict[str, int] = {}
        for each in fields(cls):
            name = PREFIX + each.name.upper()
            if text := env.get(name):
                if not text.isdecimal() or not int(text):
                    message = f"{name} is {text!r}, not a number of {each.metadata['of']}"
                    raise InvalidSettings(message, hint=f"The default is {each.default}.")
                given[each.name] = int(text)
        return cls(**given)


class LimitReached(SwarmError):
    """The principal has as much of something as this server gives one."""

    def __init__(self, limit: str, most: int, *, retry_after_s: int = 1) -> None:
        """Name the limit by its field of `Limits`."""
        self.limit, self.most, self.retry_after_s = limit, most, retry_after_s
        what = next(each.metadata["of"] for each in fields(Limits) if each.name == limit)
        hint = (
            f"Try again in {retry_after_s} s, or have the server's operator raise "
            f"{PREFIX}{limit.upper()}."
        )
        super().__init__(f"one caller may have {most:,} {what} here", hint=hint)

    @property
    def data(self) -> dict[str, Any]:
        """Return what a program needs to know of it."""
        return {"limit": self.limit, "most": self.most, "retryAfter": self.retry_after_s}


class Account:
    """What one principal has of this process."""

    def __init__(self, limits: Limits, clock: Callable[[], float]) -> None:
        """Start with nothing, and with a second's requests at once allowed."""
        self._limits = limits
        self._clock = clock
        self._tokens = float(limits.requests)
        self._counted_at = clock()
        self._looked_at = self._told_at = clock() - _LOOK_EVERY_S
        self._open = 0
        self._followed = 0
        self.tasks: OrderedDict[str, tuple[str, float]] = OrderedDict()
        """Started here and not known to have ended: each one's agent, and when it may run."""

    def take_request(self) -> None:
        """Count one request (a token bucket); raises LimitReached."""
        now = self._clock()
        most = self._limits.requests
        self._tokens = min(most, self._tokens + (now - self._counted_at) * most)
        self._counted_at = now
        if self._tokens < 1:
            raise LimitReached("requests", most)
        self._tokens -= 1

    def tells_flood(self) -> bool:
        """Tell whether a refusal is to be logged: one a second, for lines of a log cost money."""
        if self._clock() - self._told_at < 1:
            return False
        self._told_at = self._clock()
        return True

    @contextmanager
    def open_request(self) -> Iterator[None]:
        """Count a request while it is being answered; raises LimitReached."""
        if self._open >= self._limits.open:
            raise LimitReached("open", self._limits.open)
        self._open += 1
        try:
            yield
        finally:
            self._open -= 1

    @contextmanager
    def follow(self, count: int) -> Iterator[None]:
        """Count the tasks that a stream follows; raises LimitReached."""
        if self._followed + count > self._limits.subscriptions:
            raise LimitReached("subscriptions", self._limits.subscriptions, retry_after_s=10)
        self._followed += count
        try:
            yield
        finally:
            self._followed -= count

    async def make_room(self, connection: Connection, *, delay_s: int = 0) -> None:
        """Raise LimitReached where the principal may have no further task.

        What has ended meanwhile nobody tells this process. So only at the limit, and once a second
        at most, it reads the records of the hundred tasks that it has not looked at the longest.
        """
        if self._is_full(delay_s) and self._clock() - self._looked_at >= _LOOK_EVERY_S:
            self._looked_at = self._clock()
            await self._look(connection)
        if self._is_full(delay_s):
            over = "tasks" if len(self.tasks) >= self._limits.tasks else "delayed"
            most = self._limits.tasks if over == "tasks" else self._limits.delayed
            raise LimitReached(over, most, retry_after_s=ceil(_LOOK_EVERY_S))

    def add_tasks(self, agents: Mapping[str, str], *, delay_s: int = 0) -> None:
        """Remember tasks that the principal has started, by id; a repeat is the same one."""
        for task_id, agent in agents.items():
            self.tasks.setdefault(task_id, (agent, self._clock() + delay_s))

    def _is_full(self, delay_s: int) -> bool:
        if len(self.tasks) >= self._limits.tasks:
            return True
        now = self._clock()
        return (
            delay_s > 0 and sum(at > now for _, at in self.tasks.values()) >= self._limits.delayed
        )

    async def _look(self, connection: Connection) -> None:
        asked = dict(islice(self.tasks.items(), _LOOK_AT))
        found = await find_many(
            connection, {task_id: agent for task_id, (agent, _) in asked.items()}
        )
        for task_id, (_, at) in asked.items():
            record = found.get(task_id)
            unseen = record is None and self._clock() - at > _UNSEEN_S
            if unseen or (record is not None and record.status.terminal):
                self.tasks.pop(task_id, None)
            elif task_id in self.tasks:
                self.tasks.move_to_end(task_id)


class Accounts:
    """The accounts of this process, of a bounded number of principals."""

    def __init__(self, limits: Limits, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Give every principal `limits`."""
        self._limits = limits
        self._clock = clock
        self._of: OrderedDict[str, Account] = OrderedDict()

    def of(self, principal: str) -> Account:
        """Return a principal's account; a new one may take the place of the one unused longest."""
        account = self._of.get(principal)
        if account is None:
            account = self._of[principal] = Account(self._limits, self._clock)
        self._of.move_to_end(principal)
        while len(self._of) > 1 and (
            len(self._of) > PRINCIPALS
            or sum(len(one.tasks) for one in self._of.values()) > REMEMBERED_TASKS
        ):
            self._of.popitem(last=False)
        return account


def account_of(scope_or_request: Any) -> Account:
    """Return the account that AuthMiddleware put into an ASGI scope (or request of one)."""
    scope = getattr(scope_or_request, "scope", scope_or_request)
    account: Account = scope["state"]["account"]
    return account
