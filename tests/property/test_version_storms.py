"""Storms in which the functions' versions are kept: whatever happens, a task keeps its own."""

from __future__ import annotations

from dataclasses import replace

import pytest

from simulation import fault_plan_of, simulate
from simulation.counterexample import counterexample
from sqswarm.workers.runtime import acquire, versions
from sqswarm.workers.runtime.versions import HandOver

STORMS = 30
LAW = "a-task-keeps-its-version"


def storm(seed):
    return replace(fault_plan_of(seed, "deploys"), keeps_versions=True)


def test_a_task_is_run_by_the_code_it_began_with_whatever_is_deployed():
    handed = 0
    for seed in range(STORMS):
        report = simulate(storm(seed))
        assert not report.violations, counterexample(report)
        handed += sum(what == "task.handed-over" for _, _, what, *_ in report.seen.world.trace)
    assert handed > STORMS // 4


@pytest.mark.proof
def test_a_task_is_run_by_the_code_it_began_with_in_many_storms():
    for seed in range(1000, 3000):
        report = simulate(storm(seed))
        assert not report.violations, counterexample(report)


async def runs_it_itself(worker, job, code):
    return True


async def takes_busy_for_gone(worker, job, code):
    kept = worker.versions
    if kept is None or code in {None, kept.own}:
        return True
    return await kept.hand_over(job.delivery, code) is not HandOver.DONE


@pytest.mark.parametrize("mistake", [runs_it_itself, takes_busy_for_gone])
def test_a_planted_mistake_is_found(monkeypatch, mistake):
    monkeypatch.setattr(acquire, "hand_over", mistake)
    monkeypatch.setattr(versions, "hand_over", mistake)
    broken = {
        violation.invariant
        for seed in range(STORMS)
        for violation in simulate(storm(seed)).violations
    }
    assert LAW in broken
