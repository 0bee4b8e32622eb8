"""What befalls the whole swarm: each disaster alone in a small soak, and the emulator's own end."""

import json
import os
import signal
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest
from benchmarks.soak import ruin
from benchmarks.soak.agents import value
from benchmarks.soak.order import DISASTERS
from benchmarks.soak.swarm import MODULE

from sqswarm import Swarm
from sqswarm.backends.aws.connect import settings_from_environment
from sqswarm.infra.deploy import deploy
from sqswarm.infra.local import up
from sqswarm.infra.local.home import run_dir
from sqswarm.infra.local.isolated import isolated_emulator
from sqswarm.infra.local.processes import members
from sqswarm.infra.plan import plan
from sqswarm.infra.project import find_project
from sqswarm.schemas.errors import NotDeployed, TaskNotFound, TimedOut, Unreachable

pytestmark = [pytest.mark.localstack, pytest.mark.proof]

SQSWARM = Path(sys.executable).with_name("sqswarm")
TASKS = 200
AT_ONCE_S = 15
"""No client waits longer for a dead endpoint: three tries, and this machine is busy."""


def soak(*words):
    """Run a soak of its own emulator; return its numbers and its last line."""
    command = [sys.executable, "-m", "benchmarks.soak", "--json", *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    numbers, _ = json.JSONDecoder().raw_decode(done.stdout)
    return numbers


def test_every_disaster_has_its_own_name():
    assert tuple(ruin._STRIKES) == DISASTERS


@pytest.mark.parametrize("name", DISASTERS)
def test_a_disaster_alone_costs_no_task_its_result(name):
    """Attempts may be lost; none so many that a task fails that was not told to."""
    with ruin.small_disk(wanted=name == "full-disk") as disk:
        if name == "full-disk" and disk is None:
            pytest.skip("only root can give the emulator a disk of its own")
    numbers = soak("--tasks", TASKS, "--faults", name)
    assert (numbers["completed"], numbers["failed"]) == (TASKS, 0)
    [told] = numbers["disasters"]
    assert told.startswith(f"{name}: ")
    if name == "deploy":
        assert numbers["editions"].keys() == {"0", "1"}


def test_all_of_it_at_once_beside_the_standard_faults():
    numbers = soak("--tasks", 2 * TASKS, "--faults", "ruin")
    assert len(numbers["disasters"]) == len(DISASTERS)


def refused(call):
    """Return what a call is refused with, at once."""
    begun = time.monotonic()
    with pytest.raises(Exception) as caught:
        call()
    assert time.monotonic() - begun < AT_ONCE_S
    return caught.value


@pytest.fixture(scope="module")
def killed(tmp_path_factory):
    """Kill an emulator under work and start it again; tell what everybody saw."""
    log = tmp_path_factory.mktemp("killed") / "worker.log"
    with isolated_emulator() as emulator:
        settings = replace(settings_from_environment(), stage="killed")
        planned = plan(find_project(Path(ruin.__file__).parent, modules=[MODULE]), stage="killed")
        deploy(settings, planned)
        environ = {**os.environ, "SQSWARM_STAGE": "killed", "PYTHONPATH": str(Path.cwd())}
        with log.open("w") as output:
            worker = subprocess.Popen(
                [str(SQSWARM), "work", "--agents", MODULE, "standard"],
                env=environ,
                stdout=output,
                stderr=subprocess.STDOUT,
            )
        try:
            with Swarm.connect(settings) as swarm:
                yield _story(swarm, emulator, settings, planned, worker, environ)
        finally:
            worker.kill()
            worker.wait()


def _story(swarm, emulator, settings, planned, worker, environ):
    told = {}
    done = swarm.submit("kept", n=3)
    assert done.result(timeout=60) == value(3)
    running = swarm.submit("kept", n=4, mischief="hang:1")
    os.kill(emulator.pid, signal.SIGKILL)
    calls = {
        "submit": lambda: swarm.submit("standard", n=1),
        "submit-durable": lambda: swarm.submit("kept", n=1),
        "result": lambda: running.result(timeout=60),
        "get": lambda: swarm.get(running.id),
    }
    told["dead"] = {name: refused(call) for name, call in calls.items()}
    command = [str(SQSWARM), "get", running.id]
    told["cli"] = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
    told["left"] = members(run_dir(emulator.port))
    up(port=emulator.port)
    told["empty"] = {name: refused(call) for name, call in calls.items()}
    deploy(settings, planned)
    told["gone"] = refused(lambda: swarm.get(running.id))
    told["never"] = refused(lambda: running.result(timeout=1))
    told["again"] = [swarm.submit(agent, n=5).result(timeout=60) for agent in ("standard", "kept")]
    told["worker"] = worker.poll()
    return told


def test_clients_of_a_killed_emulator_are_told_at_once_what_to_do(killed):
    assert {type(error) for error in killed["dead"].values()} == {Unreachable}
    assert all("sqswarm up" in error.hint for error in killed["dead"].values())
    assert killed["cli"].returncode == 3
    assert "sqswarm up" in killed["cli"].stderr


def test_no_function_outlives_a_killed_emulator(killed):
    assert killed["left"] == []


def test_an_emulator_that_was_started_again_says_that_it_holds_nothing(killed):
    assert {type(error) for error in killed["empty"].values()} == {NotDeployed}, killed["empty"]
    assert all("sqswarm deploy" in error.hint for error in killed["empty"].values())


def test_no_task_that_an_emulator_took_along_is_reported_as_ended(killed):
    assert isinstance(killed["gone"], TaskNotFound)
    assert isinstance(killed["never"], TimedOut)


def test_the_same_client_and_the_same_worker_go_on_after_the_next_deployment(killed):
    assert killed["again"] == [value(5), value(5)]
    # One that asked before the deployment has ended, as for any stage that is not deployed.
    assert killed["worker"] in {None, NotDeployed.exit_code}
