"""A map run on a whole stage, its workers killed in the middle of it, its caller gone."""

import contextlib
import os
import signal
import time

import psutil
import pytest
from project_cli import deployed_project

from sqswarm import Swarm

pytestmark = [pytest.mark.localstack, pytest.mark.proof]

ROWS = 2000
PATIENCE_S = 400

AGENTS = '''
import os
import signal
from pathlib import Path

from sqswarm import Fail, agent
from sqswarm.workers.agents.map_run import map_run


@agent
def double(n: int, killed: str) -> int:
    """Dies once, at row 700; refuses row 1300."""
    if n == 700 and not Path(killed).exists():
        Path(killed).touch()
        os.kill(os.getpid(), signal.SIGKILL)
    if n == 1300:
        raise Fail("unlucky", type="Unlucky")
    return 2 * n
'''


def workers_of(agent, stage):
    """Yield the processes of an agent's function, on any emulator with such a stage."""
    for process in psutil.process_iter():
        with contextlib.suppress(psutil.Error):
            environment = process.environ()
            mine = environment.get("SQSWARM_STAGE") == stage
            if mine and environment.get("SQSWARM_AGENT") == agent and process.children() == []:
                yield process


@pytest.fixture
def started(emulator, tmp_path):
    """Start a run of two windows, one after the other, and let its caller go."""
    stage = f"maps{os.getpid() % 10_000}"
    with deployed_project(tmp_path, stage, AGENTS):
        with Swarm.connect() as swarm:
            rows = ({"n": n, "killed": str(tmp_path / "killed")} for n in range(ROWS))
            run_id = swarm.start_map("double", rows, tolerate=1, concurrency=1000).id
        yield run_id, stage


def test_two_thousand_rows_survive_killed_workers_each_with_its_line(started):
    run_id, stage = started
    ends = time.monotonic() + PATIENCE_S
    seen, killed = [], 0
    with Swarm.connect() as swarm:
        run = swarm.map_run(run_id)
        while not run.status().terminal:
            assert time.monotonic() < ends, run.counts()
            seen.append(run.counts().done)
            if len(seen) > 1 and killed < 2 and seen[-1] > 600 * (killed + 1):
                for process in workers_of("map-run", stage):
                    process.send_signal(signal.SIGKILL)
                killed += 1
            time.sleep(0.5)
        counts = run.result()
        assert (counts.total, counts.done, counts.failed) == (ROWS, ROWS, 1)
        found = list(run.results())
    assert killed == 2
    assert seen == sorted(seen)
    assert [row.index for row in found] == list(range(ROWS))
    assert all(row.value == 2 * row.index for row in found if row.error is None)
    [failed] = [row for row in found if row.error]
    assert (failed.index, failed.error["data"]["type"]) == (1300, "Unlucky")
