"""Stories: what happened to the task whose promise was broken, and how to see it again."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from typing import Any

from simulation.fault_plan import FaultPlan
from simulation.invariants import Violation
from simulation.run import Report, simulate
from simulation.world import Note
from sqswarm.schemas.writes import Applied, Key, Refused

_LINES = 120
_TRIES = 1500
_PARTS: tuple[str, ...] = ("orders", "misfortunes", "aims", "accidents", "early", "poison")


def shrunk(
    fault_plan: FaultPlan, invariant: str, try_it: Callable[[FaultPlan], Report] = simulate
) -> Report:
    """Return the report of a smaller storm that breaks the same law: what is left matters."""
    report = try_it(fault_plan)
    smaller, left = True, _TRIES
    while smaller:
        smaller = False
        for attempt in _smaller(report.fault_plan):
            if left == 0:
                return report
            left -= 1
            tried = try_it(attempt)
            if any(violation.invariant == invariant for violation in tried.violations):
                report, smaller = tried, True
                break
    return report


def _smaller(fault_plan: FaultPlan) -> Iterator[FaultPlan]:
    """Yield the storm with parts left out: halves first, then one at a time."""
    for name in _PARTS:
        whole: Sequence[Any] = getattr(fault_plan, name)
        least = 1 if name == "orders" else 0
        if len(whole) > 1:  # the halves of one are nothing, and itself for ever
            yield _with(fault_plan, name, whole[: len(whole) // 2])
            yield _with(fault_plan, name, whole[len(whole) // 2 :])
        if len(whole) > least:
            for n in range(len(whole)):
                yield _with(fault_plan, name, (*whole[:n], *whole[n + 1 :]))
    for n, order in enumerate(fault_plan.orders):
        for m in range(len(order.script)):
            if len(order.script) > 1:
                shorter = replace(order, script=(*order.script[:m], *order.script[m + 1 :]))
                yield replace(
                    fault_plan,
                    orders=(*fault_plan.orders[:n], shorter, *fault_plan.orders[n + 1 :]),
                )


def _with(fault_plan: FaultPlan, name: str, value: Any) -> FaultPlan:
    return replace(fault_plan, **{name: value})


def counterexample(report: Report, *, everything: bool = False) -> str:
    """Return the story of a report's first violation, in lines; or of all there was."""
    fault_plan = report.fault_plan
    lines = [f"storm {fault_plan.seed}" + ("" if report.violations else ": every law was kept")]
    lines += [_told(violation) for violation in report.violations[:5]]
    workload = f" --workload '{fault_plan.workload}'" if fault_plan.workload else ""
    lines.append(f"  replay: python tests/simulation --seed {fault_plan.seed}{workload}")
    lines += [f"  order: {o.agent} {' | '.join(o.script)}{_wishes(o)}" for o in fault_plan.orders]
    lines.append("  what happened:")
    task_id = "" if everything else report.violations[0].task_id
    lines += list(_events(report, task_id))[: None if everything else _LINES]
    return "\n".join(lines)


def _told(violation: Violation) -> str:
    who = f" of task …{violation.task_id[-6:]}" if violation.task_id else ""
    return f"  law broken: {violation.invariant}{who}: {violation.what}"


def _wishes(order: Any) -> str:
    told = {
        "at": order.at_s,
        "key": order.key,
        "delay": order.delay_s,
        "cancelled after": order.cancel_after_s,
        "redrive": order.redrive,
    }
    return "".join(f", {name} {value}" for name, value in told.items() if value)


def _events(report: Report, task_id: str) -> Iterator[str]:
    """Yield the lines of the trace that are about a task, or all where it is nobody's."""
    messages: set[str] = set()
    actors: set[str] = set()
    for note in report.seen.world.trace:
        _, actor, what, subject, detail = note
        if what == "delivered" and task_id in subject:
            messages.add(str(detail).partition(":")[0])
            actors.add(actor)
        about = task_id in subject or any(r.partition(":")[0] in messages for r in subject.split())
        stands = what in {"process.died", "process.paused"} and detail != "the end"
        about = about or (stands and actor in actors)
        about = about or (isinstance(detail, str) and detail.startswith("!") and actor in actors)
        if about or not task_id:
            yield _line(note)


def _line(note: Note) -> str:
    at_s, actor, what, _, detail = note
    told = _shown(detail).partition("\n")[0]
    return f"  {at_s:>11.3f} s  {actor:<15} {what:<28} {told}"[:180].rstrip()


def _shown(detail: Any) -> str:
    match detail:
        case Applied():
            return "applied"
        case Refused(item=None):
            return "refused: no record"
        case Refused(item=item) if item is not None:
            return f"refused: {item.get('status')}, v {str(item.get('v'))[:6]}"
        case list() | tuple() if detail and all(isinstance(d, Applied | Refused) for d in detail):
            return "; ".join(map(_shown, detail))
        case {"pk": _, "status": status, "v": v, "phase": phase, "attempt": attempt}:
            return f"{status} ({phase}), attempt {attempt}, v {v[:6]}"
        case dict():
            return " ".join(f"{_shown(n)}={_shown(value)}" for n, value in detail.items())
        case Key():
            return detail.pk[-6:]
        case None:
            return ""
    return str(detail)
