"""Whatever befalls a map run's workers, each of its rows has one line: right, and in its place."""

import random

import pytest

from sqswarm import Fail, agent
from sqswarm.dispatcher import map_progress
from sqswarm.schemas import map_run as layout
from sqswarm.schemas.lifecycle import Status
from sqswarm.testing import Duplicate, Failure, Kill, MemorySwarm, Throttle
from sqswarm.workers.agents import map_run

STORMS = 25
MANY = 200
_DAY_S = 86_400


@agent
def triple(n: int, broken: bool = False) -> int:  # noqa: FBT001, FBT002 - an argument as JSON has it
    if broken:
        raise Fail("as drawn", type="Drawn")
    return 3 * n


def broken_law(seed):
    """Live through the storm of a seed and return which law it broke, None for none."""
    chance = random.Random(seed)
    count = chance.choice((0, 1, 9, 10, 11, 45, 80))
    broken = {n for n in range(count) if chance.random() < chance.choice((0, 0.03, 0.2))}
    tolerate = chance.choice((0, 1, 5, 80))
    concurrency = chance.choice((1, 2, 7, 30))
    faults = [Kill(at=chance.randrange(400)) for _ in range(chance.choice((0, 1, 3)))]
    faults += [Throttle(agent="map-run", times=chance.randrange(3))]
    faults += [Failure(after=chance.choice(("settle", "children", "acquire")), agent="map-run")]
    faults += [Duplicate(agent=chance.choice((None, "map-run")))] * chance.choice((0, 1))
    rows = [{"n": n, "broken": n in broken} for n in range(count)]
    with MemorySwarm(triple, map_run, faults=faults) as memory:
        run = memory.start_map(triple, rows, tolerate=tolerate, concurrency=concurrency)
        seen = []
        memory.run_until(
            lambda: bool(seen.append(run.counts())) or seen[-1].status.terminal, timeout=_DAY_S
        )
        counts, lines = run.counts(), list(run.results())
        rested = all(one.status.terminal for one in memory.records)
    return _broken(counts, seen, lines, broken, tolerate) or (None if rested else "it never rests")


def _broken(counts, seen, lines, broken, tolerate):
    ran = [row for row in lines if row.error is None or row.error["data"]["type"] != "NotRun"]
    failed = {row.index for row in ran if row.error}
    done = [one.done for one in seen]
    laws = {
        "it ends": counts.status.terminal,
        "a line for each row, in order": [row.index for row in lines] == [*range(counts.total)],
        "each line is right": failed == {row.index for row in ran} & broken
        and all(row.value == 3 * row.index for row in ran if not row.error),
        "counts are true": (counts.done, counts.failed) == (len(ran), len(failed)),
        "counts never shrink": done == sorted(done) and (not done or done[-1] <= counts.total),
        "it ends by what it tolerates": (counts.status is Status.FAILED)
        is (len(failed) > tolerate),
        "all rows are run where few enough fail": len(failed) > tolerate or len(ran) == len(lines),
    }
    return next((law for law, holds in laws.items() if not holds), None)


def test_no_law_is_broken_in_the_storms_of_fixed_seeds():
    assert [(seed, law) for seed in range(STORMS) if (law := broken_law(seed))] == []


@pytest.mark.proof
def test_no_law_is_broken_in_many_storms():
    assert [(seed, law) for seed in range(MANY) if (law := broken_law(seed))] == []


def _backwards(monkeypatch):
    text = map_run._text
    monkeypatch.setattr(map_run, "_text", lambda lines: text(lines[::-1]))


def _all_well(monkeypatch):
    line = map_run._line
    monkeypatch.setattr(
        map_run,
        "_line",
        lambda row, value: {k: v for k, v in line(row, value).items() if k != "error"},
    )


def _last_window_left_out(monkeypatch):
    rounds = layout.rounds
    monkeypatch.setattr(
        layout, "rounds", lambda first, last, **cut: rounds(first, max(first, last - 1), **cut)
    )


def _counted_twice(monkeypatch):
    parts = map_progress._parts

    async def all_parts(connection, record, *, first=0):
        return await parts(connection, record)

    monkeypatch.setattr(map_progress, "_parts", all_parts)


def _one_name_for_all_windows(monkeypatch):
    monkeypatch.setattr(layout, "results_key", lambda run, window: f"{layout.prefix(run)}results")


MISTAKES = (_backwards, _all_well, _last_window_left_out, _counted_twice, _one_name_for_all_windows)


@pytest.mark.parametrize("plant", MISTAKES, ids=lambda plant: plant.__name__.strip("_"))
def test_a_planted_mistake_is_found(plant, monkeypatch):
    plant(monkeypatch)
    assert any(broken_law(seed) for seed in range(STORMS))
