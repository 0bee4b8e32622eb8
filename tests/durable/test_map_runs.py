"""Map runs: one line per row, right, in order, whatever happens to those who run them."""

import asyncio
import json
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sqswarm import Fail, agent
from sqswarm.dispatcher import start_map
from sqswarm.schemas import map_run as layout
from sqswarm.schemas.errors import (
    InvalidArguments,
    TaskFailed,
    TaskNotFound,
    UnknownAgent,
    UsageError,
)
from sqswarm.schemas.lifecycle import Status
from sqswarm.testing import Duplicate, Kill, MemorySwarm, kill_everywhere
from sqswarm.workers.agents import map_run

BROKEN = set()


@agent
def double(n: int, label: str = "", share: float | None = None, names: list[str] = []) -> int:  # noqa: B006
    if n in BROKEN:
        raise Fail(f"no {n}", type="Broken")
    return 2 * n


@pytest.fixture
def memory():
    with MemorySwarm(double, map_run) as swarm:
        yield swarm
    BROKEN.clear()


def rows(count):
    return [{"n": n} for n in range(count)]


def test_every_row_has_its_line_in_order_and_the_counts_are_true(memory):
    BROKEN.update({3, 14})
    run = memory.start_map(double, rows(25), tolerate=2, concurrency=2)
    assert run.counts().total == 25
    assert run.counts().done == 0
    ended = run.result()
    assert (ended.done, ended.failed, ended.completed, ended.estimate_s) == (25, 2, 23, 0)
    lines = [row.to_json() for row in run.results()]
    assert [line["index"] for line in lines] == list(range(25))
    assert [line["index"] for line in lines if "error" in line] == [3, 14]
    assert lines[4] == {"index": 4, "value": 8}
    assert lines[3]["error"]["data"]["type"] == "Broken"
    assert memory.get(lines[3]["taskId"]).status is Status.FAILED


def test_counts_grow_while_it_runs_and_never_shrink(memory):
    run = memory.start_map(double, rows(60), concurrency=2)
    seen = []
    memory.run_until(lambda: bool(seen.append(run.counts().done)) or run.status().terminal)
    assert seen == sorted(seen)
    assert len(set(seen)) > 10
    assert seen[-1] == 60


def test_a_run_ends_with_more_failures_than_it_tolerates_and_starts_no_more(memory):
    BROKEN.update(range(5, 9))
    run = memory.start_map(double, rows(40), tolerate=0.05, concurrency=1)  # two of forty
    with pytest.raises(TaskFailed, match="4 of 10 rows failed, of 40 in all, and 2 may") as failed:
        run.result()
    assert failed.value.error_type == "TooManyFailures"
    assert (run.counts().done, run.counts().failed) == (10, 4)
    lines = list(run.results())
    assert len(lines) == 40
    assert {row.error["data"]["type"] for row in lines[10:]} == {"NotRun"}
    BROKEN.clear()
    again = run.redrive_failures()
    assert again.result().done == 34
    assert [row.index for row in again.results()] == [*range(5, 9), *range(10, 40)]
    assert all(row.result() == 2 * row.index for row in again.results())
    assert memory.get(again.id).record.redriven_from == run.id


def test_a_run_without_failures_has_nothing_to_redrive(memory):
    run = memory.start_map(double, rows(3))
    with pytest.raises(UsageError, match="more of its rows may fail"):
        run.redrive_failures()
    run.result()
    with pytest.raises(UsageError, match="no row of the run"):
        run.redrive_failures()


def test_a_row_whose_key_came_before_is_not_run_again(memory):
    run = memory.start_map(double, [{"n": 1}, {"n": 2}, {"n": 1}], item_key="n")
    assert run.result().done == 3
    assert [row.to_json() for row in run.results()] == [
        {"index": 0, "key": "1", "value": 2},
        {"index": 1, "key": "2", "value": 4},
        {"index": 2, "key": "1", "duplicateOf": 0},
    ]
    assert sum(one.agent == "double" for one in memory.records) == 2
    run = memory.start_map(double, rows(3), item_key=lambda row: f"row-{row['n']}")
    assert [row.key for row in run.results()] == ["row-0", "row-1", "row-2"]
    with pytest.raises(InvalidArguments, match="have no key: the field 'id' is None"):
        memory.start_map(double, rows(1), item_key="id")


def test_a_start_that_is_repeated_under_its_key_is_one_run(memory):
    first = memory.start_map(double, rows(3), idempotency_key="nightly")

    def unread():
        pytest.fail("its rows are read again")
        yield

    assert memory.start_map(double, unread(), idempotency_key="nightly").id == first.id
    assert memory.start_map(double, rows(3), idempotency_key="tomorrow").id != first.id
    assert first.result().done == 3


def test_of_two_who_start_it_at_once_one_does(memory, monkeypatch):
    monkeypatch.setattr(start_map, "find", never_found)
    first = memory.start_map(double, rows(3), idempotency_key="nightly")
    assert memory.start_map(double, rows(4), idempotency_key="nightly").id == first.id
    assert first.result().done == 3


async def never_found(*_, **__):
    return None


def test_a_cancelled_run_ends_with_its_rows_and_has_lines_for_the_rest(memory):
    run = memory.start_map(double, rows(40), concurrency=1)
    memory.run_until(lambda: run.counts().done >= 12)
    assert run.cancel() is Status.CANCELLED
    memory.run()
    assert all(one.status.terminal for one in memory.records)
    lines = list(run.results())
    assert [row.value for row in lines[:10]] == [2 * n for n in range(10)]
    assert {row.error["data"]["type"] for row in lines[10:]} == {"NotRun"}


@pytest.mark.parametrize(("count", "concurrency"), [(60, 1), (600, 50)])
def test_a_paused_run_begins_no_more_rows_until_it_is_resumed(memory, count, concurrency):
    run = memory.start_map(double, rows(count), concurrency=concurrency)
    with pytest.raises(UsageError, match="neither parked nor paused"):
        run.resume()
    memory.run_until(lambda: run.counts().done >= 12)
    run.pause()
    memory.run()
    stands = run.counts()
    assert stands.paused
    assert stands.done <= 12 + 2 * concurrency
    memory.run(hours=1)
    assert run.counts().done == stands.done
    run.resume()
    assert not run.counts().paused
    assert run.result().done == count
    assert [row.value for row in run.results()] == [2 * n for n in range(count)]
    with pytest.raises(UsageError, match="there is nothing to pause"):
        run.pause()


def test_rows_come_from_files_as_their_agent_takes_them(memory, tmp_path):
    lines = tmp_path / "rows.jsonl"
    lines.write_text("".join(json.dumps(row) + "\n" for row in rows(3)) + "\n", encoding="utf-8")
    assert memory.start_map(double, lines).result().done == 3
    table = tmp_path / "rows.csv"
    table.write_text('n,label,share,names\n1,"a, b",0.5,"[""x""]"\n2,,,\n', encoding="utf-8-sig")
    run = memory.start_map(double, str(table))
    assert [row.value for row in run.results()] == [2, 4]
    [key] = [k for k in memory.stage.blobs.objects if k.endswith("rows-000000.jsonl")][-1:]
    assert [json.loads(line)["row"] for line in memory.stage.blobs.objects[key].splitlines()] == [
        {"n": 1, "label": "a, b", "share": 0.5, "names": ["x"]},
        {"n": 2, "label": ""},
    ]
    memory.stage.blobs.objects["s3://elsewhere/rows.csv"] = b"n\n7\n"
    run = memory.start_map(double, "s3://elsewhere/rows.csv")
    assert [row.value for row in run.results()] == [14]


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        pytest.param("rows.txt", "", "neither JSON Lines nor CSV", id="kind"),
        pytest.param("rows.jsonl", '{"n": 1}\n[2]\n', "line 2 is not a JSON object", id="list"),
        pytest.param("rows.jsonl", '{"n": 1', "line 1 is not JSON", id="no-json"),
        pytest.param("rows.csv", "n,label\n1\n", "line 2 has not as many cells", id="cells"),
        pytest.param("rows.csv", "n\nmany\n", "arguments of row 0", id="type"),
    ],
)
def test_a_file_that_does_not_fit_starts_nothing(memory, tmp_path, name, text, says):
    (tmp_path / name).write_text(text, encoding="utf-8")
    with pytest.raises(UsageError, match=says):
        memory.start_map(double, tmp_path / name)
    assert memory.records == []


def test_parquet_without_what_reads_it_says_what_to_install(memory, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow.parquet", None)
    (tmp_path / "rows.parquet").touch()
    with pytest.raises(UsageError, match="pyarrow, which is not installed"):
        memory.start_map(double, tmp_path / "rows.parquet")


def test_what_cannot_be_started_says_why(memory):
    with pytest.raises(UsageError, match="there is nothing at s3"):
        memory.start_map(double, "s3://nobody/rows.csv")
    with pytest.raises(UsageError, match="no share of the rows"):
        memory.start_map(double, rows(1), tolerate=1.5)
    with pytest.raises(UsageError, match="neither a share nor a number"):
        memory.start_map(double, rows(1), tolerate=-1)
    with pytest.raises(UsageError, match="one row at least"):
        memory.start_map(double, rows(1), concurrency=0)
    with pytest.raises(UsageError, match="runs no map runs"):
        memory.start_map("map-run", rows(1))
    with MemorySwarm(double) as without, pytest.raises(UnknownAgent) as refused:
        without.start_map(double, rows(1))
    assert '"sqswarm.workers.agents.map_run"' in refused.value.hint


def test_runs_are_found_and_their_parts_are_none(memory):
    first, second = (memory.start_map(double, rows(30), concurrency=1) for _ in range(2))
    second.result()
    assert {run.id for run in memory.map_runs()} == {first.id, second.id}
    assert len(memory.map_runs(limit=1)) == 1
    assert memory.map_run(first.id).counts().done == 30
    part = next(one for one in memory.records if one.agent == "map-run" and one.parent)
    with pytest.raises(TaskNotFound, match="is a part of the run"):
        memory.map_run(part.task_id)
    row = next(one for one in memory.records if one.agent == "double")
    with pytest.raises(TaskNotFound):
        memory.map_run(row.task_id)


def test_results_are_read_while_it_runs(memory):
    run = memory.start_map(double, rows(25), concurrency=1)
    assert list(run.results(wait=False)) == []
    stream = run.results()
    assert next(stream).value == 0
    assert run.counts().done < 25  # it has not been waited for
    assert [row.index for row in stream] == list(range(1, 25))


def test_an_ordered_agent_runs_over_rows_too():
    order = []

    @agent(ordered=True)
    def note(n: int) -> int:
        order.append(n)
        return n

    with MemorySwarm(note, map_run) as memory:
        run = memory.start_map(note, rows(12), concurrency=4)
        assert [row.value for row in run.results()] == list(range(12))
    assert sorted(order) == list(range(12))


def test_an_empty_run_completes(memory):
    run = memory.start_map(double, [])
    assert run.result().total == 0
    assert list(run.results()) == []


def test_a_row_that_no_longer_fits_its_agent_fails_alone_with_its_window(memory):
    run = memory.start_map(double, rows(5), tolerate=1.0)

    @agent(name="double")
    def deployed_since(n: str) -> str:
        return n

    memory.deploy(deployed_since)
    assert run.result().failed == 5
    assert {row.error["data"]["type"] for row in run.results()} == {"InvalidArguments"}


def test_few_parts_at_a_time_make_a_tree(memory, monkeypatch):
    monkeypatch.setattr(layout, "PARTS", 2)
    BROKEN.update({77})
    run = memory.start_map(double, rows(90), concurrency=1, tolerate=1)
    memory.run_until(lambda: run.counts().done >= 40)
    assert 40 <= run.counts().done <= 41
    assert run.result().done == 90
    assert run.counts().failed == 1
    assert [row.index for row in run.results()] == list(range(90))
    assert max(one.depth for one in memory.records) > 3
    assert all(len(one.waits or "") < 5000 for one in memory.records)


@given(st.integers(0, 5000), st.integers(0, 100_000), st.integers(1, 50))
def test_rounds_hold_every_window_once_and_are_few(first, count, windows):
    found = layout.rounds(first, first + count, windows=windows)
    assert len(found) <= layout.PARTS
    parts = [part for several in found for part in several]
    assert [start for start, _ in parts] == [first, *(stop for _, stop in parts[:-1])][: len(parts)]
    assert sum(stop - start for start, stop in parts) == count
    assert all(len(several) <= windows for several in found)


def test_workers_killed_at_any_moment_leave_one_line_a_row():
    def story(memory):
        run = memory.start_map(double, rows(4), concurrency=1, tolerate=0)
        memory.run()
        return [row.to_json() for row in run.results()], run.counts().done, run.counts().failed

    lines, done, failed = kill_everywhere(story, double, map_run)
    assert lines == [{"index": n, "value": 2 * n} for n in range(4)]
    assert (done, failed) == (4, 0)


def test_a_run_of_thousands_survives_many_killed_workers():
    BROKEN.update({11, 1111})
    kills = [Kill(at=number) for number in range(100, 3100, 150)]
    with MemorySwarm(double, map_run, faults=[*kills, Duplicate(agent="map-run")]) as memory:
        run = memory.start_map(double, rows(1200), tolerate=2, concurrency=700)
        assert run.result().failed == 2
        assert not [one for one in memory.faults.left if isinstance(one, Kill)]
        found = list(run.results())
    BROKEN.clear()
    assert [row.index for row in found] == list(range(1200))
    assert all(row.value == 2 * row.index for row in found if row.error is None)
    assert [row.index for row in found if row.error] == [11, 1111]


def test_async_swarm_has_the_same_runs(memory):
    async def story():
        swarm = memory._swarm
        run = await swarm.start_map("double", rows(3))
        return run.id, await run.status(), (await run.counts()).total

    run_id, status, total = asyncio.run(story())
    assert (status, total) == (Status.WORKING, 3)
    assert memory.map_run(run_id).result().done == 3
