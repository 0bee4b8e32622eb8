"""Whatever the storm, every promise of the task protocol is kept."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given, settings
from mutations import MUTATIONS
from storms import poisoned, storms

from simulation import INVARIANTS, FaultPlan, fault_plan_of, run, simulate
from simulation import __main__ as command
from simulation import campaign as run_of_storms
from simulation.__main__ import main
from simulation.campaign import EndlessRunError, sweep
from simulation.counterexample import counterexample
from simulation.fault_plan import Accident, Aim, Fault, Misfortune, Mishap, Order
from simulation.workload import WORKLOADS
from sqswarm.schemas.json import loads
from sqswarm.schemas.writes import Applied, Refused

TESTS = Path(__file__).parents[1]
STORMS = 500
"""`make proof` runs 20,000."""


@settings(max_examples=150)
@given(storms())
def test_any_storm_leaves_exactly_one_result(fault_plan):
    report = simulate(fault_plan)
    assert not report.violations, counterexample(report)
    assert report.results_per_task == {1}


@settings(max_examples=100)
@given(poisoned())
def test_a_neighbour_of_poison_is_never_harmed(fault_plan):
    report = simulate(fault_plan)
    assert not report.violations, counterexample(report)


@pytest.mark.proof
@settings(max_examples=2000, derandomize=False, print_blob=True)
@given(storms())
def test_storms_that_nobody_has_drawn_before_leave_exactly_one_result(fault_plan):
    report = simulate(fault_plan)
    assert not report.violations, counterexample(report)
    assert report.results_per_task == {1}


def test_no_law_is_broken_in_the_storms_of_fixed_seeds():
    broken = [seed for _, found in sweep(0, STORMS) for seed in found]
    assert not broken, counterexample(simulate(fault_plan_of(broken[0])))


@pytest.mark.parametrize("workload", ["told", "pauses", "removals"])
def test_no_law_is_broken_in_storms_that_are_asked_for_by_name(workload):
    broken = [seed for _, found in sweep(0, 100, workload=workload) for seed in found]
    assert not broken, counterexample(simulate(fault_plan_of(broken[0], workload)))


def test_every_result_that_is_to_be_an_event_is_one_in_any_storm():
    heard = 0
    for seed in range(50):
        report = simulate(fault_plan_of(seed, "events"))
        assert not report.violations, counterexample(report)
        heard += sum("hearer#" in item["pk"] for _, item in report.seen.histories())
    assert heard > 50


def test_a_storm_is_the_same_every_time():
    def told(seed):
        trace = simulate(fault_plan_of(seed)).seen.world.trace
        return [note[:4] for note in trace]

    assert all(told(seed) == told(seed) for seed in range(40))


def test_a_storm_is_the_same_in_every_process():
    """No set's order, and nothing else that a process is born with, gets into a storm."""
    code = (
        f"import sys; sys.path.insert(0, {str(TESTS)!r})\n"
        "from hashlib import sha256; from simulation import simulate, fault_plan_of\n"
        "traces = [simulate(fault_plan_of(seed)).seen.world.trace for seed in range(30)]\n"
        "told = repr([[note[:4] for note in trace] for trace in traces])\n"
        "print(sha256(told.encode()).hexdigest())"
    )
    found = {
        subprocess.run(
            [sys.executable, "-c", code],
            env={**os.environ, "PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(found) == 1


def seen_operations(workload):
    """Return the operations that storms of a weather saw carried out, and those refused."""
    applied, refused = set(), set()
    for seed in range(90):
        for _, _, what, _, detail in simulate(fault_plan_of(seed, workload)).seen.world.trace:
            # One write alone, or some of a kind beside the one that tells of them, the first.
            kind = what.removesuffix(" & activity").removeprefix("activity & ")
            outcomes = detail if isinstance(detail, list) else [detail]
            if kind != what and isinstance(detail, list):
                outcomes = detail[1:]
            if any(isinstance(outcome, Applied) for outcome in outcomes):
                applied.add(kind)
            if any(isinstance(outcome, Refused) for outcome in outcomes):
                refused.add(kind)
    return applied, refused


def test_storms_bring_every_operation_and_refuse_what_can_be_refused():
    found = [seen_operations(workload) for workload in WORKLOADS]
    applied = set().union(*(one for one, _ in found))
    refused = set().union(*(one for _, one in found))
    contended = {"create", "acquire (new)", "acquire", "settle", "release", "count", "fire"}
    others = {"make cancelled", "renew", "plan", "sleep", "ask", "answer", "wake", "cancel", "fail"}
    others |= {
        "make failed",
        "make completed",
        "republish",
        "create & link redriven",
        "due",
        "clear due",
    }
    assert contended | others <= applied
    assert contended <= refused


def test_storms_have_deep_trees_wide_joins_and_several_questions():
    deepest = widest = asked = 0
    for seed in range(600):
        if deepest >= 3 and widest >= 4 and asked >= 3:
            break
        for _, item in simulate(fault_plan_of(seed, "people")).seen.histories():
            deepest = max(deepest, item.get("depth", 0))
            widest = max(widest, item.get("planned", 0))
            asked = max(asked, len(loads(item.get("answers", "{}"))))
    assert (deepest, widest >= 4, asked >= 3) == (3, True, True)


def test_a_storm_that_never_ends_is_a_violation(monkeypatch):
    monkeypatch.setattr(run, "MOST_TURNS", 40)
    [violation] = [v for v in simulate(fault_plan_of(0)).violations if not v.task_id]
    assert (violation.invariant, violation.what) == ("no-stuck", "it never comes to rest")


def test_a_storm_that_never_gives_the_loop_back_is_told_by_its_seed(monkeypatch):
    def endless(fault_plan):
        while True:
            pass

    monkeypatch.setattr(run_of_storms, "simulate", endless)
    monkeypatch.setattr(run_of_storms, "_LONGEST_CPU_S", 0.2)
    with pytest.raises(EndlessRunError, match="storm 7 has computed"):
        run_of_storms.violating([7])


ORDERS = {
    "lean": Order(agent="lean", script=("ok",)),
    "children": Order(agent="standard", script=("step", "children lean(ok) durable(step)")),
    "waits": Order(agent="durable", script=("ask:2", "sleep:5000", "slow"), durable=True),
}


@pytest.mark.parametrize("order", ORDERS.values(), ids=ORDERS)
@pytest.mark.parametrize("fault", list(Fault))
def test_each_fault_at_each_request_alone(order, fault):
    for at in range(60):
        for size in (0.1, 0.9):
            misfortunes = (Misfortune(at=at, what=fault, size=size),)
            report = simulate(FaultPlan(seed=1, orders=(order,), misfortunes=misfortunes))
            assert not report.violations, counterexample(report)


def test_a_cancelled_task_that_nobody_has_seen_stays_cancelled():
    order = Order(agent="standard", script=("ok",), cancel_after_s=1)
    held_up = Accident(at=0, what=Mishap.HELD_UP, size=0.5)
    report = simulate(FaultPlan(seed=1, orders=(order,), accidents=(held_up,)))
    assert not report.violations
    [(history, item)] = report.seen.histories()
    assert (item["status"], history.executions) == ("cancelled", [])


@pytest.mark.parametrize("seed", range(5))
def test_a_task_whose_message_is_lost_is_published_at_once_though_its_note_is_repeated(seed):
    """The repeat is refused by the first try, whose answer was lost: that is no other's note."""
    report = simulate(
        FaultPlan(
            seed=seed,
            orders=(Order(agent="durable", script=("ok",), durable=True),),
            accidents=(Accident(at=0, what=Mishap.LOST, size=0.5),),
            aims=(Aim(on="republish", nth=0, what=Fault.REPEATED, size=0.5),),
        )
    )
    assert not report.violations, counterexample(report)
    [(history, _)] = report.seen.histories()
    assert history.ended_s < 150


@pytest.mark.parametrize("seed", range(20))
def test_a_lean_task_of_which_only_the_result_was_written_is_listed(seed):
    """Its last delivery settled it, what tells of it was lost, and so was the answer."""
    lost = Aim(on="activity & make completed", nth=0, what=Fault.ANSWER_LOST, size=0.0)
    order = Order(agent="lean", script=("ok",))
    report = simulate(FaultPlan(seed=seed, orders=(order,), aims=(lost,), receives=1))
    assert not report.violations, counterexample(report)


def test_laws_have_names_and_words():
    assert len({invariant.__name__ for invariant in INVARIANTS}) == len(INVARIANTS) >= 10
    assert all(invariant.__doc__ for invariant in INVARIANTS)


def test_the_command_tells_how_many_storms_broke_a_law(capsys):
    assert main(["--storms", "60", "--jobs", "1"]) == 0
    assert capsys.readouterr().out.endswith("storms: 60 run, 0 violations\n")


def test_one_storm_can_be_told(capsys):
    assert main(["--seed", "3", "--trace"]) == 0
    assert "replay: python tests/simulation --seed 3" in capsys.readouterr().out


def test_the_command_reports_in_json_and_by_its_exit_code(capsys):
    mistake, workload = MUTATIONS["redrive that makes a new task every time"]
    with mistake():
        code = main(["--storms", "20", "--jobs", "1", "--workload", workload, "--json"])
    told = json.loads(capsys.readouterr().out)
    assert (code, told["storms"], told["broken"] > 0) == (1, 20, True)
    assert {one["law"] for one in told["violations"]} == {"redriven-once"}


def test_the_command_lists_the_laws(capsys):
    assert main(["--invariants"]) == 0
    assert len(capsys.readouterr().out.splitlines()) == len(INVARIANTS)


def test_a_sweep_that_is_interrupted_says_so(capsys, monkeypatch):
    def swept(*given, **more):
        yield 50, []
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "sweep", swept)
    assert main(["--storms", "500"]) == 130
    assert capsys.readouterr().out == "storms: 50 run, 0 violations, interrupted\n"


@pytest.mark.parametrize("seed", range(20))
def test_a_lease_ends_by_when_it_was_asked_for_however_slow_the_answer(seed):
    """Reckoned from the answer, a worker would go on while another runs the task."""
    slow = Aim(on="acquire", nth=0, what=Fault.SLOW, size=1.0)
    in_vain = (Aim(on="renew", nth=n, what=Fault.REFUSED, size=0.0) for n in range(30))
    fault_plan = FaultPlan(
        seed=seed,
        orders=(Order(agent="container", script=("long",)),),
        aims=(slow, *in_vain),
        accidents=(Accident(at=0, what=Mishap.DOUBLED, size=0.001),),
    )
    report = simulate(fault_plan)
    assert not report.violations, counterexample(report)
