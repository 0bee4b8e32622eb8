"""Session: what was said under a `session_id`, one item that is replaced as a whole.

Every append is a compare-and-set on its version, so turns stand in the order in which they were
appended and none is lost; the oldest go when there are too many tokens. Readers name the version
up to which they read: a task that is resumed sees the history it began with.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from hashlib import sha256

from sqswarm.schemas.json import JsonObject, dumps, loads, size_bytes
from sqswarm.schemas.writes import Absent, Condition, Eq, Item, Key, Set, Write

SESSION_TTL_S = 30 * 24 * 3600
BYTES_LIMIT = 300 * 1024
"""Source: a DynamoDB item holds 400 KB."""

_BYTES_A_TOKEN = 3


@dataclass(frozen=True, kw_only=True)
class SessionTurn:
    """Messages that were appended together. `number` counts from 1, `by` tells who appended."""

    number: int
    by: str
    at_ms: int
    messages: tuple[JsonObject, ...]

    @property
    def tokens(self) -> int:
        """Return an estimate of its tokens."""
        return -(-size_bytes(dumps(list(self.messages))) // _BYTES_A_TOKEN)


@dataclass(frozen=True, kw_only=True)
class History:
    """A session's turns, the oldest first. `v` is the number of the last, 0 before the first."""

    agent: str
    principal: str
    session_id: str
    v: int = 0
    turns: tuple[SessionTurn, ...] = ()

    @property
    def key(self) -> Key:
        """Return its primary key: sessions of agents, and of their principals, do not meet.

        Each part's length is hashed too: whatever a principal and an id consist of, no other pair
        has the same key.
        """
        parts = f"{len(self.principal)}:{self.principal}{len(self.session_id)}:{self.session_id}"
        digest = sha256(parts.encode()).hexdigest()
        return Key(pk=f"session#{self.agent}#{digest}", sk="history")

    def of_item(self, item: Item | None) -> History:
        """Return the history that is stored under its key."""
        if item is None:
            return replace(self, v=0, turns=())
        turns = tuple(
            SessionTurn(
                number=turn["n"],
                by=turn["by"],
                at_ms=turn["at"],
                messages=tuple(turn["messages"]),
            )
            for turn in loads(item["turns"])
        )
        return replace(self, v=item["v"], turns=turns)

    def messages(self, *, upto: int, tokens: int) -> list[JsonObject]:
        """Return the messages of the newest turns up to number `upto` that fit into `tokens`."""
        known = [turn for turn in self.turns if turn.number <= upto]
        return [message for turn in _newest(known, tokens) for message in turn.messages]

    def holds(self, by: str) -> bool:
        """Tell whether `by` has appended already."""
        return any(turn.by == by for turn in self.turns)

    def append(self, messages: Sequence[JsonObject], *, by: str, tokens: int, now_ms: int) -> Write:
        """Append a turn, unless another was appended since this history was read."""
        turn = SessionTurn(number=self.v + 1, by=by, at_ms=now_ms, messages=tuple(messages))
        turns = _newest([*self.turns, turn], tokens)
        while len(turns) > 1 and size_bytes(_text(turns)) > BYTES_LIMIT:
            turns = turns[1:]
        unchanged: Condition = Eq("v", self.v) if self.v else Absent()
        return self._write(unchanged, turns, v=self.v + 1, expires_s=now_ms // 1000 + SESSION_TTL_S)

    def forget(self, *, now_ms: int) -> Write:
        """Drop every turn; the empty item goes by its time to live."""
        unchanged: Condition = Eq("v", self.v) if self.v else Absent()
        return self._write(unchanged, [], v=self.v + 1, expires_s=now_ms // 1000)

    def _write(
        self, when: Condition, turns: Sequence[SessionTurn], *, v: int, expires_s: int
    ) -> Write:
        return Write(
            key=self.key,
            when=(when,),
            changes=(Set("v", v), Set("turns", _text(turns)), Set("ttl", expires_s)),
        )

    def to_json(self) -> JsonObject:
        """Return it as it is exported."""
        return {
            "sessionId": self.session_id,
            "agent": self.agent,
            "principal": self.principal,
            "turns": [_plain(turn) for turn in self.turns],
        }


def _newest(turns: Sequence[SessionTurn], tokens: int) -> list[SessionTurn]:
    """Return the newest turns that fit; the last in any case."""
    kept: list[SessionTurn] = []
    left = tokens
    for turn in reversed(turns):
        left -= turn.tokens
        if left < 0 and kept:
            break
        kept.insert(0, turn)
    return kept


def _text(turns: Sequence[SessionTurn]) -> str:
    return dumps([_plain(turn) for turn in turns])


def _plain(turn: SessionTurn) -> JsonObject:
    return {
        "n": turn.number,
        "by": turn.by,
        "at": turn.at_ms,
        "messages": list(turn.messages),
    }
