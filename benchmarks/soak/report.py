"""Report: a soak in numbers, for people and as JSON."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any

from benchmarks.faults import Proxy
from benchmarks.soak.audit import Evidence, Verdict
from benchmarks.soak.counts import told

_SHOWN = 20


def details(seen: Evidence, verdict: Verdict, proxy: Proxy) -> Iterator[str]:
    """Yield the lines before the last one."""
    numbers = figures(seen, verdict, proxy)
    for name in ("injected", "misbehaved", "errors", "agents", "metrics"):
        told = ", ".join(f"{what} {count}" for what, count in sorted(numbers[name].items()))
        yield f"{name}: {told or 'none'}"
    yield (
        f"records: {numbers['records']} ({numbers['children']} children, {numbers['unclaimed']} of "
        f"submits beside the order, or made again after a fault), cancelled {verdict.cancelled}"
    )
    yield (
        f"executions: {numbers['executions']}, {numbers['attempts_lost']} of them lost; "
        f"AWS calls {numbers['calls']}; function processes that died: {numbers['died']}"
    )
    yield from seen.told
    yield f"duration: {seen.seconds:.1f} s, {numbers['tasks_per_s']:.1f} tasks/s"
    for breach in verdict.breaches[:_SHOWN]:
        yield f"BREACH {breach}"
    if len(verdict.breaches) > _SHOWN:
        yield f"and {len(verdict.breaches) - _SHOWN} breaches more"


def figures(seen: Evidence, verdict: Verdict, proxy: Proxy) -> dict[str, Any]:
    """Return the soak's numbers."""
    misbehaved = Counter(
        note["what"] for note in seen.notes if note["what"] in {"raise", "hang", "kill", "fail"}
    )
    redelivered = sum(note["count"] for note in seen.notes if note["what"] == "duplicate")
    records = seen.records.values()
    errors = Counter(str((r.error or {}).get("data", {}).get("type")) for r in records if r.error)
    children = sum(record.parent is not None for record in records)
    executions = sum(note["what"] == "run" for note in seen.notes)
    attempts_lost = sum(map(seen.attempts_lost, seen.records))
    editions = Counter(note["edition"] for note in seen.notes if note["what"] == "run")
    ended = sum(record.status.terminal for record in records)
    return {
        "submitted": verdict.submitted,
        "completed": verdict.completed,
        "failed": verdict.failed,
        "cancelled": verdict.cancelled,
        "lost": verdict.lost,
        "doubled": verdict.doubled,
        "stuck": verdict.stuck,
        "breaches": [str(breach) for breach in verdict.breaches],
        "injected": {
            **{str(fault): count for fault, count in proxy.injected.items()},
            "redelivered at work": redelivered,
            "poison": len(seen.order.poison),
            "dispatchers killed": seen.dispatchers_killed,
            "processes killed from outside": seen.killed_from_outside,
            "container workers killed": seen.containers_killed,
        },
        "misbehaved": dict(misbehaved),
        "errors": dict(errors),
        "agents": dict(Counter(row.agent for row in seen.rows.values())),
        "records": len(seen.records),
        "children": children,
        "unclaimed": len(seen.records) - children - sum(t in seen.records for t in seen.rows),
        "executions": executions,
        "attempts_lost": attempts_lost,
        "died": len(seen.died),
        "metrics": told(seen),
        "calls": sum(proxy.calls.values()),
        "disasters": list(seen.told),
        "editions": {str(k): v for k, v in editions.items()},
        "seconds": round(seen.seconds, 1),
        "tasks_per_s": ended / seen.seconds,
    }
