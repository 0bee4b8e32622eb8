"""A short soak: the standard faults all at once, some hundred tasks, every promise audited."""

import time

import pytest
from benchmarks.faults.redirect import redirect
from benchmarks.soak.agents import AGENTS
from benchmarks.soak.audit import audit
from benchmarks.soak.run import Soak

pytestmark = [pytest.mark.localstack, pytest.mark.proof]

TASKS = 300


@pytest.fixture
def folder(behind, aws, tmp_path):
    """A folder for the soak's files; its functions note into it, duplicate, and go wrong by 2 s."""
    proxy, names, notes = behind
    functions = [names.function(name) for name in AGENTS]
    (tmp_path / "notes").mkdir()

    def use(soak):
        redirect(aws("lambda"), functions, soak.variables(proxy, tmp_path / "notes"))
        return tmp_path

    yield use
    calm = Soak(tasks=1, faults="none", seed=0, deadline_s=1)
    redirect(aws("lambda"), functions, calm.variables(proxy, notes))


def test_a_soak_under_the_standard_faults_loses_doubles_and_strands_nothing(behind, folder):
    proxy, names, _ = behind
    soak = Soak(
        tasks=TASKS, faults="standard", seed=time.time_ns() % 1000, deadline_s=240, due_grace_s=12
    )
    verdict = audit(soak.run(proxy, names, folder(soak)))
    assert verdict.kept, [f"seed {soak.seed}", str(verdict), *map(str, verdict.breaches)]
    assert verdict.submitted == TASKS == verdict.completed + verdict.failed
    assert sum(proxy.injected.values()) > TASKS / 20
