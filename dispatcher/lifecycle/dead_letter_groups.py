"""Dead letters by reason: how many of each, since when, and some to look at."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sqswarm.dispatcher.connection import Connection
from sqswarm.dispatcher.lifecycle.dead_letters import HELD_LIMIT, DeadLetter, DeadLetters, peek
from sqswarm.schemas.json import JsonObject
from sqswarm.schemas.task import iso

EXAMPLES = 3
"""Dead letters of a group that are kept to be shown."""


@dataclass(frozen=True, kw_only=True)
class DeadLetterGroup:
    """An agent's dead letters of one reason; `examples` are its newest."""

    agent: str
    reason: str
    count: int
    oldest_ms: int
    newest_ms: int
    examples: tuple[DeadLetter, ...]

    def to_json(self) -> JsonObject:
        """Return the group with its examples."""
        return {
            "agent": self.agent,
            "reason": self.reason,
            "count": self.count,
            "oldest": iso(self.oldest_ms),
            "newest": iso(self.newest_ms),
            "examples": [letter.to_json() for letter in self.examples],
        }


class DeadLetterGroups(list[DeadLetterGroup]):
    """Groups, the largest first: made of `looked_at` dead letters, where `total` lie."""

    def __init__(self, groups: Sequence[DeadLetterGroup], *, looked_at: int, total: int) -> None:
        """Hold `groups`."""
        super().__init__(groups)
        self.looked_at = looked_at
        self.total = total


async def group_dead_letters(connection: Connection, agents: Sequence[str]) -> DeadLetterGroups:
    """Group the dead letters of several agents by reason; at most HELD_LIMIT of each are read."""
    found: list[DeadLetterGroup] = []
    looked_at = total = 0
    for agent in agents:  # one after another: bodies of one queue at a time are enough
        letters = await peek(connection, agent, limit=HELD_LIMIT)
        looked_at += len(letters)
        total += letters.total
        found += _groups(agent, letters)
    found.sort(key=lambda group: (-group.count, group.agent, group.reason))
    return DeadLetterGroups(found, looked_at=looked_at, total=total)


def _groups(agent: str, letters: DeadLetters) -> list[DeadLetterGroup]:
    by_reason: dict[str, list[DeadLetter]] = {}
    for letter in letters:
        by_reason.setdefault(letter.shown_reason, []).append(letter)
    groups = []
    for reason, several in by_reason.items():
        several.sort(key=lambda letter: letter.since_ms, reverse=True)
        groups.append(
            DeadLetterGroup(
                agent=agent,
                reason=reason,
                count=len(several),
                oldest_ms=several[-1].since_ms,
                newest_ms=several[0].since_ms,
                examples=tuple(several[:EXAMPLES]),
            )
        )
    return groups
