"""A map run on a whole stage, its workers killed in the middle of it, its caller gone."""

import time

import pytest
from project_cli import deployed_project

from sqswarm import Swarm
from sqswarm.schemas.lifecycle import Status

pytestmark = [pytest.mark.localstack, pytest.mark.proof, pytest.mark.timeout(700)]

ROWS = 2000
PATIENCE_S = 500

AGENTS = '''
import os
import signal
from pathlib import Path

from sqswarm import Fail, agent
from sqswarm.backends.aws.blobs import S3Blobs
from sqswarm.dispatcher.lifecycle import children
from sqswarm.workers.agents.map_run import map_run

KILLED = Path({killed!r})


def die_once(where: str) -> None:
    marker = KILLED / where
    if not marker.exists():
        marker.touch()
        os.kill(os.getpid(), signal.SIGKILL)


class Dies:
    """A worker of the run dies when a window's lines are written, and its task not yet ended."""

    put = S3Blobs.put
    republish = staticmethod(children.republish)
    published = 0


async def put(self, key, data, **options):
    address = await Dies.put(self, key, data, **options)
    if key.endswith("results-000000.jsonl"):
        die_once("collected")
    return address


async def republish(connection, records):
    """Another dies when some of the second window's rows are published, and others not made."""
    told = await Dies.republish(connection, records)
    if records and records[0].agent == "double":
        Dies.published += 1
        if Dies.published == 2 and (KILLED / "collected").exists():
            die_once("planned")
    return told


S3Blobs.put = put
children.republish = republish


@agent(timeout=5)
def double(n: int) -> int:
    if n == 700:
        die_once("row")
    if n == 1300:
        raise Fail("unlucky", type="Unlucky")
    return 2 * n
'''


@pytest.fixture
def started(emulator, tmp_path):
    """Start a run of two windows, one after the other, and let its caller go."""
    killed = tmp_path / "killed"
    killed.mkdir()
    with deployed_project(tmp_path, "maps", AGENTS.replace("{killed!r}", repr(str(killed)))):
        with Swarm.connect() as swarm:
            rows = ({"n": n} for n in range(ROWS))
            run_id = swarm.start_map("double", rows, tolerate=1, concurrency=1000).id
        yield run_id, killed


def test_two_thousand_rows_survive_killed_workers_each_with_its_line(started):
    run_id, killed = started
    ends = time.monotonic() + PATIENCE_S
    seen = []
    with Swarm.connect() as swarm:
        run = swarm.map_run(run_id)
        while not run.status().terminal:
            assert time.monotonic() < ends, run.counts()
            seen.append(run.counts().done)
            time.sleep(1)
        counts = run.counts()
        found = list(run.results())
    assert {one.name for one in killed.iterdir()} == {"collected", "planned", "row"}
    assert (counts.status, counts.total, counts.done) == (Status.COMPLETED, ROWS, ROWS)
    assert counts.failed == 1
    assert seen == sorted(seen)
    assert [row.index for row in found] == list(range(ROWS))
    assert all(row.value == 2 * row.index for row in found if row.error is None)
    [failed] = [row for row in found if row.error]
    assert (failed.index, failed.error["data"]["type"]) == (1300, "Unlucky")
