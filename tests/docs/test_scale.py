"""docs/scale.md: its figures are made again from code, quotas and prices, and looked for there."""

import re
import secrets
from collections import Counter
from pathlib import Path

import pytest
from aws_prices import PRICES
from memory_swarm import MemorySwarm

from sqswarm import agent
from sqswarm.dispatcher.lifecycle import sweep
from sqswarm.schemas.ids import new_task_id
from sqswarm.schemas.payload import INLINE_LIMIT_BYTES
from sqswarm.schemas.settings import Settings
from sqswarm.schemas.task import DUE_SHARDS, due_shard

PAGE = (Path(__file__).parents[2] / "docs" / "scale.md").read_text()

DAY_S = 86_400
DIGITS = "0123456789"
SIZES = {"1 M": 10**6, "100 M": 10**8, "10 B": 10**10}

PARTITION_WRITES = 1_000  # a second: "Best practices for designing and using partition keys"
NEW_TABLE_WRITES = 4_000  # "Initial throughput and scaling properties"
TABLE_WRITES = 40_000  # "Quotas in Amazon DynamoDB"
CONCURRENCY = 1_000  # "Lambda quotas"

BATCH = 10
TOLD = 0.2
"""Write units of activity a task: two items for a full batch (tests/e2e/test_thousand.py)."""
PUBLISHES, POLLS = 1 / BATCH, 2 / BATCH
INDEXED = {"lean": 0, "standard": 0, "durable": 2}
"""Writes of the sweep index: a durable task enters and leaves it (tests/durable/test_counts.py)."""


@agent(timeout=20, durability="lean")
async def lean(n: int) -> int:
    return n


@agent(timeout=20)
async def standard(n: int) -> int:
    return n


@agent(timeout=20, durability="durable")
async def durable(n: int) -> int:
    return n


@pytest.fixture
async def units():
    """Write units a task by mode, of the table alone: counted, and what is told beside it."""
    memory, found = MemorySwarm(lean, standard, durable), {}
    for one in (lean, standard, durable):
        with memory.counting() as counts:
            await memory.submit(one, n=1)
            await memory.settle_down()
        found[one.spec.name] = sum(counts.values()) + TOLD
    return found


def rows(title):
    """The table under a heading: cells by their row's first, without marks."""
    section = PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]
    lines = [line for line in section.splitlines() if line.startswith("|")]
    cells = [[re.sub(r"[`*]", "", c).strip() for c in line.strip("|").split("|")] for line in lines]
    return {row[0]: row[1:] for row in cells}


def usd(dollars):
    return f"${dollars:,.2f}" if dollars < 100 else f"${dollars:,.0f}"


def per_task(mode, units):
    writes = units[mode] + INDEXED[mode]
    return writes * PRICES["write units"] + PUBLISHES * PRICES["sns"] + POLLS * PRICES["sqs"]


async def test_what_a_day_costs(units):
    shown = rows("What a day costs")
    for mode in units:
        expected = [f"{units[mode] + INDEXED[mode]:.1f}"]
        expected += [usd(per_task(mode, units) * tasks) for tasks in SIZES.values()]
        assert shown[mode] == expected


async def test_the_rates_of_a_day(units):
    shown = rows("What a day is, a second")
    for size, tasks in SIZES.items():
        rate = tasks / DAY_S
        assert shown[size] == [
            f"{rate:,.0f}",
            f"{rate * units['lean']:,.0f}",
            f"{rate * units['standard']:,.0f}",
            f"{rate * (units['durable'] + INDEXED['durable']):,.0f}",
            f"{rate * PUBLISHES:,.0f}",
            f"{rate / BATCH * 0.1:,.0f}",
            f"{rate / BATCH:,.0f}",
        ]


async def test_what_breaks_first(units):
    due_a_minute = DUE_SHARDS * sweep._A_SHARD * sweep._PAGES
    expected = {
        "housekeeping": due_a_minute / 60,
        "activity, batches of one": PARTITION_WRITES / 2,
        "failures": PARTITION_WRITES,
        "a new table": NEW_TABLE_WRITES / units["standard"],
        "sweep index": DUE_SHARDS * PARTITION_WRITES / INDEXED["durable"],
        "activity, full batches": PARTITION_WRITES / TOLD,
        "Lambda's concurrency": CONCURRENCY * BATCH / 1.0,
        "the table's quota": TABLE_WRITES / units["standard"],
    }
    shown = rows("What breaks first")
    assert {name: shown[name][0] for name in expected} == {
        name: f"{int(rate):,}" for name, rate in expected.items()
    }
    rates = [
        (float(row[0].replace(",", "")), row[1]) for row in shown.values() if row[0][0] in DIGITS
    ]
    assert rates == sorted(rates)
    assert [day for _, day in rates] == [a_day(rate) for rate, _ in rates]
    assert len(rates) == len(expected) + 3  # SNS's, of three kinds of region


def a_day(rate):
    tasks = rate * DAY_S
    return f"{tasks / 1e6:,.0f} M" if tasks < 1e9 else f"{tasks / 1e9:.1f} B"


async def test_the_units_that_are_told_of_a_batch():
    """Full batches are told of in two items for all of them, a batch of one in as many."""
    memory = MemorySwarm(standard)
    for _ in range(BATCH):
        await memory.submit(standard, n=1)
    await memory.work(standard)
    assert told_of(memory) == BATCH * TOLD
    await memory.submit(standard, n=1)
    await memory.work(standard)
    assert told_of(memory) == BATCH * TOLD + 2
    shown = rows("Where our keys get hot")["activity#<agent>, by time"]
    assert shown[1] == f"{TOLD} a task in full batches, 2 in batches of one"


def told_of(memory):
    return sum(key.pk == "activity#standard" for key in memory.store.items)


def test_durable_tasks_share_out_over_the_sweep_index():
    ids = [new_task_id(1_764_000_000_000 + n, secrets.randbits) for n in range(8_000)]
    counts = Counter(due_shard(one) for one in ids)
    assert len(counts) == DUE_SHARDS
    assert max(counts.values()) < 1.15 * len(ids) / DUE_SHARDS


def test_what_the_page_says_of_settings():
    assert f"above {INLINE_LIMIT_BYTES // 1024} KB" in PAGE
    assert f"{Settings().ttl_s // DAY_S} days" in PAGE
    assert f"{DUE_SHARDS} partitions" in PAGE
