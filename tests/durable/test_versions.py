"""Tasks go on with the version of the code that they began with, while it is kept."""

from __future__ import annotations

from dataclasses import replace

import pytest

from sqswarm import TaskContext, agent
from sqswarm.schemas.history import attempts
from sqswarm.testing import MemorySwarm, kill_everywhere
from sqswarm.workers.runtime.batch import Runtime
from sqswarm.workers.runtime.versions import HandOver

HOUR = 3600


def do(what: str) -> str:
    return what


@agent(name="work", calls=[])
async def old(*, ctx: TaskContext) -> str:
    a = await ctx.step("a", do, "a")
    await ctx.sleep(HOUR)
    return a + await ctx.step("old", do, " old")


@agent(name="work", calls=[])
async def new(*, ctx: TaskContext) -> str:
    b = await ctx.step("b", do, "b")
    await ctx.sleep(HOUR)
    return b + await ctx.step("new", do, " new")


@agent(name="work")
async def plain(a: int = 1) -> int:
    return a


class Kept:
    """Versions of a memory swarm's agent: `stage.versions` has the runtimes that are kept."""

    def __init__(self, kept: dict, own: str) -> None:
        self.kept, self.own, self.handed_over = kept, own, False
        self.handed: list[str] = []
        self.busy = 0

    async def hand_over(self, delivery, version):
        if version not in self.kept:
            return HandOver.GONE
        if self.busy:
            self.busy -= 1
            return HandOver.BUSY
        self.handed.append(version)
        stage, one = self.kept[version]
        versions = Kept(self.kept, version)
        versions.handed_over = True
        worker = replace(stage.worker(one), versions=versions)
        result = await Runtime(worker).handle([delivery])
        await worker.bus.delete(worker.queue, result.delete)
        return HandOver.DONE


class Deployer:
    """Deploys versions of one agent to a memory swarm, as `sqswarm deploy` publishes them."""

    def __init__(self, memory) -> None:
        self.memory, self.kept, self.number = memory, {}, 0
        self.made: list[Kept] = []

    def deploy(self, one) -> Kept:
        self.number += 1
        stage, own = self.memory.stage, str(self.number)
        self.kept[own] = (stage, one)
        self.made.append(Kept(self.kept, own))
        plain_worker = type(stage).worker.__get__(stage)

        def worker(which):
            return replace(plain_worker(which), versions=self.made[-1])

        stage.worker = worker  # whoever comes after a killed worker too
        self.memory.deploy(one)
        return self.made[-1]


@pytest.fixture
def memory():
    with MemorySwarm(old) as memory:
        yield memory


def code(memory, task):
    return memory.get(task.id).record.code


def test_old_tasks_finish_on_old_code_and_new_ones_on_new(memory):
    deployer = Deployer(memory)
    deployer.deploy(old)
    first = memory.submit("work")
    memory.run(minutes=10)
    second = deployer.deploy(new)
    later = memory.submit("work")
    memory.run(hours=2)
    assert (first.result(), later.result()) == ("a old", "b new")
    assert second.handed == ["1"]
    assert (code(memory, first), code(memory, later)) == ("1", "2")
    assert memory.get(first.id).record.parked is None


def test_a_task_whose_version_is_gone_is_run_by_the_one_that_is_there(memory):
    deployer = Deployer(memory)
    deployer.deploy(old)
    task = memory.submit("work")
    memory.run(minutes=10)
    deployer.deploy(old)
    del deployer.kept["1"]
    assert task.result() == "a old"
    assert code(memory, task) == "2"


def test_gone_code_that_does_not_fit_parks_as_without_versions(memory):
    deployer = Deployer(memory)
    deployer.deploy(old)
    task = memory.submit("work")
    memory.run(minutes=10)
    deployer.deploy(new)
    del deployer.kept["1"]
    memory.run(hours=2)
    assert memory.get(task.id).record.parked_now
    deployer.deploy(old)
    assert task.result() == "a old"


def test_going_back_leaves_the_younger_tasks_to_the_younger_version(memory):
    deployer = Deployer(memory)
    deployer.deploy(new)
    task = memory.submit("work")
    memory.run(minutes=10)
    deployer.deploy(old)
    assert task.result() == "b new"


def test_a_version_that_cannot_be_asked_is_asked_again(memory):
    deployer = Deployer(memory)
    deployer.deploy(old)
    task = memory.submit("work")
    memory.run(minutes=10)
    second = deployer.deploy(new)
    second.busy = 3
    assert task.result() == "a old"
    assert second.handed == ["1"]


def test_a_redriven_task_begins_with_the_version_of_now(memory):
    deployer = Deployer(memory)
    deployer.deploy(old)
    task = memory.submit("work")
    memory.run(minutes=10)
    task.cancel()
    deployer.deploy(new)
    again = memory.redrive(task.id)
    assert again.result() == "b new"
    assert code(memory, again) == "2"


def test_what_records_nothing_is_handed_to_nobody():
    with MemorySwarm(plain) as memory:
        deployer = Deployer(memory)
        deployer.deploy(plain)
        memory.submit("work").result()
        second = deployer.deploy(plain)
        memory.submit("work").result()
        assert second.handed == []


def test_history_says_which_version_an_attempt_ran(memory):
    deployer = Deployer(memory)
    deployer.deploy(old)
    task = memory.submit("work")
    task.result()
    record = memory.get(task.id).record
    found = attempts(record, now_ms=memory.clock.now_ms()).attempts
    assert {one.version for one in found} == {"@1"}


def test_a_forged_version_is_not_believed_twice(memory):
    """A message that names another version than its record's meets that one's word, and ends."""
    deployer = Deployer(memory)
    deployer.deploy(new)
    deployer.deploy(old)
    task = memory.submit("work")
    memory.run(minutes=10)
    record = memory.get(task.id).record
    assert record.code == "2"
    forged = replace(record.to_message(), code="1").encode()
    queue = memory.stage.queue(old)
    memory.stage.bus._store(queue, forged, {}, "me")
    assert task.result() == "a old"


def test_a_kill_at_any_moment_changes_no_version():
    def story(memory):
        deployer = Deployer(memory)
        deployer.deploy(old)
        task = memory.submit("work")
        memory.run(minutes=10)
        deployer.deploy(new)
        later = memory.submit("work")
        return task.result(), later.result()

    assert kill_everywhere(story, old) == ("a old", "b new")
