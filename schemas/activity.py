"""Activity: what ran when, one item for a whole batch, in one partition an agent, by time.

It tells listings and statistics where to look. The record is the truth: where the two differ, an
entry is only out of date. It is written beside a batch's acquires and settles, in their calls, so
it has to stay small: ids as 22 characters, what repeats as numbers.
"""

from __future__ import annotations

import base64
from collections.abc import Sequence
from dataclasses import field
from hashlib import sha256
from typing import Any

from sqswarm.schemas.json import dumps, loads, size_bytes
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.tags import Tags
from sqswarm.schemas.value import dataclass
from sqswarm.schemas.writes import Absent, Item, Key, Set, Write

MARKED = 40
_BARELY_MARKED = 12
"""Characters of a principal or of an error's type that an entry holds: of a longer principal it
holds a mark. The fewer where a batch has so many that they would not fit."""

_TARGET_BYTES = 900
"""An item over 1 KB takes two write units. The record has what makes way before that."""

_ENDS = (Status.COMPLETED, Status.FAILED, Status.CANCELLED)


@dataclass(frozen=True, kw_only=True)
class Began:
    """A worker took a task. `principal` is one of its `marks`; `at_ms` is Unix milliseconds."""

    task_id: str
    principal: str
    at_ms: int


@dataclass(frozen=True, kw_only=True)
class Ended:
    """A worker settled a task, or tried to: where it was refused, the record says otherwise.

    `wait_ms` is from the message's sending to the attempt's begin, `run_ms` the attempt's own.
    `tags` is empty where they found no room.
    """

    task_id: str
    principal: str
    status: Status
    error_type: str | None
    at_ms: int
    wait_ms: int
    run_ms: int
    attempt: int
    tags: Tags = field(default_factory=dict)


Entry = Began | Ended


def activity_partition(agent: str) -> str:
    """Return the partition key of an agent's activity."""
    return f"activity#{agent}"


def moment(at_ms: int, mark: str = "") -> str:
    """Return a place in time that sorts as text: 13 digits of Unix milliseconds, and a mark."""
    return f"{max(0, at_ms):013d}#{mark}"


def moment_ms(place: str) -> int:
    """Return the time of a place (Unix milliseconds)."""
    return int(place.partition("#")[0])


def marks(principal: str) -> set[str]:
    """Return what entries may hold of a principal."""
    return {_mark(principal, MARKED), _mark(principal, _BARELY_MARKED)}


def _mark(principal: str, most: int) -> str:
    """Return a principal, or a digest of one that is long."""
    if len(principal) <= most:
        return principal
    return "~" + base64.urlsafe_b64encode(sha256(principal.encode()).digest()[:9]).decode()


def activity_write(
    agent: str, entries: Sequence[Entry], *, at_ms: int, random: str, expires_s: int
) -> Write:
    """Return the insert of one item with some entries; `random` tells it from its neighbours."""
    key = Key(pk=activity_partition(agent), sk=moment(at_ms, random))
    for with_tags, most in ((True, MARKED), (False, MARKED), (False, _BARELY_MARKED)):
        text = _encode(entries, at_ms, with_tags=with_tags, most=most)
        if size_bytes(text) <= _TARGET_BYTES:
            break
    changes = (Set("entries", text), Set("ttl", expires_s))
    return Write(key=key, when=(Absent(),), changes=changes, blind=True)


def entries_of(item: Item) -> list[Entry]:
    """Return the entries of an activity item, in the order in which they were written."""
    told = loads(item["entries"])
    base_ms = moment_ms(item["sk"])
    return [_decode(row, told, base_ms) for row in told["e"]]


def _encode(entries: Sequence[Entry], base_ms: int, *, with_tags: bool, most: int) -> str:
    principals, errors, tags = _Numbers(), _Numbers(), _Numbers()
    rows: list[list[Any]] = []
    for entry in entries:
        principal = principals.of(_mark(entry.principal, most))
        row: list[Any] = [_short(entry.task_id), principal, entry.at_ms - base_ms]
        if isinstance(entry, Ended):
            error = -1 if entry.error_type is None else errors.of(entry.error_type[:most])
            row += [_ENDS.index(entry.status), error, entry.wait_ms, entry.run_ms, entry.attempt]
            if with_tags and entry.tags:
                row.append(tags.of(entry.tags))
        rows.append(row)
    lists = {"p": principals.values, "x": errors.values, "g": tags.values, "e": rows}
    return dumps({name: values for name, values in lists.items() if values})


def _decode(row: Sequence[Any], told: dict[str, list[Any]], base_ms: int) -> Entry:
    task_id, principal, at_ms = _long(row[0]), told["p"][row[1]], base_ms + row[2]
    if len(row) == 3:  # noqa: PLR2004 - what an entry of a begin is long
        return Began(task_id=task_id, principal=principal, at_ms=at_ms)
    status, error, wait_ms, run_ms, attempt, *tags = row[3:]
    return Ended(
        task_id=task_id,
        principal=principal,
        status=_ENDS[status],
        error_type=None if error < 0 else told["x"][error],
        at_ms=at_ms,
        wait_ms=wait_ms,
        run_ms=run_ms,
        attempt=attempt,
        tags=told["g"][tags[0]] if tags else {},
    )


class _Numbers:
    """Numbers what repeats."""

    def __init__(self) -> None:
        self.values: list[Any] = []

    def of(self, value: Any) -> int:
        if value not in self.values:
            self.values.append(value)
        return self.values.index(value)


def _short(task_id: str) -> str:
    return base64.urlsafe_b64encode(bytes.fromhex(task_id.replace("-", ""))).decode().rstrip("=")


def _long(short: str) -> str:
    text = base64.urlsafe_b64decode(short + "==").hex()
    return f"{text[:8]}-{text[8:12]}-{text[12:16]}-{text[16:20]}-{text[20:]}"
