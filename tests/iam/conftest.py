"""The stage, its roles at work, and a caller of its server."""

import sys

import pytest

from stage import PROJECT, EventSource, Stage, asking_emulator


@pytest.fixture(scope="session")
def stage(tmp_path_factory):
    log = tmp_path_factory.mktemp("iam") / "asked.jsonl"
    log.touch()
    with asking_emulator(log), pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(PROJECT))
        made = Stage(log)
        yield made
        made.close()


@pytest.fixture(scope="session")
def at_work(stage):
    agents = [name for name in stage.plan.specs if name != "hauler"]
    sources = [EventSource(stage, name) for name in agents]
    yield
    for source in sources:
        source.stop()
