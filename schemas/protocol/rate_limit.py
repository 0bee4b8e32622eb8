"""Turns: when each task of a rate-limited agent may start. Pure arithmetic of one token bucket.

The bucket is a single number, the theoretical arrival time of the next run (GCRA, ITU-T I.371):
runs are spaced evenly, a few may come at once after a pause, and no window of the rate's length
ever sees more than its count.
"""

from __future__ import annotations

from sqswarm.schemas.agent_spec import Rate
from sqswarm.schemas.task import task_key
from sqswarm.schemas.writes import Absent, Condition, Eq, Item, Key, Set, Write

_BURST_SHARE = 10
BUCKET_SORT_KEY = "bucket"


def burst(rate: Rate) -> int:
    """Return how many runs may start at once after a pause: a tenth of the count."""
    return max(1, rate.count // _BURST_SHARE)


def interval_us(rate: Rate) -> int:
    """Return the spacing of runs in microseconds.

    n runs with a burst b and a spacing I span at least (n - b) I; for n = count + 1 that must be
    the whole window, so I = window / (count - b + 1).
    """
    return -(-rate.per_s * 1_000_000 // (rate.count - burst(rate) + 1))


def reserve(arrival_us: int, *, now_us: int, slots: int, rate: Rate) -> tuple[list[int], int]:
    """Return when the next `slots` runs may start (Unix microseconds), and the bucket after."""
    spacing = interval_us(rate)
    allowance = (burst(rate) - 1) * spacing
    starts: list[int] = []
    for _ in range(slots):
        arrival_us = max(arrival_us, now_us)
        starts.append(max(now_us, arrival_us - allowance))
        arrival_us += spacing
    return starts, arrival_us


def bucket_key(agent: str) -> Key:
    """Return the primary key of an agent's bucket."""
    return Key(pk=f"rate#{agent}", sk=BUCKET_SORT_KEY)


def move_bucket(agent: str, before: Item | None, *, arrival_us: int) -> Write:
    """Advance the bucket, unless another worker has done so since it was read."""
    unchanged: Condition = Absent() if before is None else Eq("arrival_us", before["arrival_us"])
    return Write(key=bucket_key(agent), when=(unchanged,), changes=(Set("arrival_us", arrival_us),))


def slot_key(agent: str, task_id: str) -> Key:
    """Return the primary key of a task's turn, beside its record."""
    return Key(pk=task_key(agent, task_id).pk, sk="turn")


def record_slot(
    key: Key, before: Item | None, *, at_ms: int, receives: int, expires_s: int
) -> Write:
    """Note when the turn under `key` is, good for the message's next receipt after `receives`."""
    unchanged: Condition = Absent() if before is None else Eq("receives", before["receives"])
    return Write(
        key=key,
        when=(unchanged,),
        changes=(Set("at", at_ms), Set("receives", receives), Set("ttl", expires_s)),
    )
