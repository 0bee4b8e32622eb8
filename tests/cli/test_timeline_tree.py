"""`sqswarm show`: a tree that is read at three in the morning, whatever stands in it."""

import re

import pytest

from sqswarm.infra.cli.log_events import LogLine, log_line
from sqswarm.infra.cli.timeline_tree import print_timeline
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.timeline import Span, SpanKind, Timeline

BEGAN = 1_800_000_000_000
KEY = f"sk-ant-{'a' * 30}"


def span(kind, name, *, at=0, for_s=1.0, **more):
    began_ms = BEGAN + round(1000 * at)
    ended_ms = None if for_s is None else began_ms + round(1000 * for_s)
    return Span(kind=SpanKind(kind), name=name, began_ms=began_ms, ended_ms=ended_ms, **more)


def told(capsys, *spans, logs=None, **more):
    fields = {
        "task_id": "T",
        "agent": "plan",
        "status": Status.COMPLETED,
        "began_ms": BEGAN,
        "ended_ms": BEGAN + 90_000,
        "queue_ms": 500,
        "run_ms": 2000,
        "wait_ms": 0,
    }
    print_timeline(Timeline(**{**fields, **more}, spans=spans), logs or {})
    return capsys.readouterr().out.splitlines()


def without_times(lines):
    return [re.sub(r"^\d\d:\d\d:\d\d\.\d{3} ", "", line) for line in lines]


def line(at, text="", **fields):
    return LogLine(BEGAN + round(1000 * at), text, fields)


def test_a_tree_says_when_how_long_what_and_how_it_ended(capsys):
    steps = (span("step", "fetch", at=1, for_s=0.25, outcome="completed"),)
    child = span("child", "leaf", at=3, for_s=61, outcome="failed", error="X: no", task_id="C")
    head, totals, *tree = told(
        capsys,
        span("queue", "queue", for_s=0.5),
        span("attempt", "attempt 1", at=0.5, outcome="lost", worker="a1", request_id="r1"),
        span("attempt", "attempt 2", at=1, for_s=2, outcome="suspended", children=steps),
        child,
        span("ask", "ready", at=64, for_s=None, by=None),
        left_out={"child": 1200},
    )
    assert head == "plan T  completed  1 min 30 s"
    assert totals.endswith("queue 500 ms, run 2.0 s")
    assert without_times(tree) == [
        "├─ queue  500 ms",
        "├─ attempt 1  1.0 s  lost  a1  r1",
        "├─ attempt 2  2.0 s  suspended",
        "│  └─ step fetch  250 ms  completed",
        "├─ child leaf  1 min 1 s  failed  C  X: no",
        "├─ ask ready  …",
        "             └─ … 1,200 more children",
    ]


def test_log_lines_stand_where_they_belong(capsys):
    inner = (span("attempt", "attempt 1", at=3, outcome="completed"),)
    logs = {
        "T": [line(-1, "early"), line(1.1, event="read", level="INFO", pages=3), line(9, "late")],
        "C": [line(3.5, event="child.read")],
    }
    _, _, *tree = told(
        capsys,
        span("queue", "queue"),
        span("attempt", "attempt 1", at=1),
        span("child", "leaf", at=2, for_s=3, task_id="C", children=inner),
        logs=logs,
    )
    assert [one.rstrip() for one in without_times(tree)] == [
        "· early",
        "├─ queue  1.0 s",
        "├─ attempt 1  1.0 s",
        "│  · read  pages=3",
        "├─ child leaf  3.0 s  C",
        "│  ├─ attempt 1  1.0 s  completed",
        "│  │  · child.read",
        "· late",
    ]


@pytest.mark.parametrize("text", ["\x1b[2Jx", "a\nb", f"key {KEY}", "[bold]x[/bold]", "\u202e x"])
def test_what_anybody_wrote_is_shown_and_not_obeyed(capsys, text):
    shown = told(
        capsys,
        span("step", text, error=text, by=text),
        agent=text,
        error=text,
        logs={"T": [line(0, text), line(0, event=text, more=text)]},
    )
    said = "\n".join(shown)
    assert len(shown) == 6
    assert not {"\x1b", "\u202e"} & {*said}
    assert KEY not in said
    if text.startswith("["):
        assert said.count(text) == 8


def test_a_line_of_ours_has_its_own_time():
    event = {"timestamp": 9, "message": '{"event":"x","timestamp":"2027-01-15T08:00:00.250Z"}\n'}
    assert log_line(event).at_ms == BEGAN + 250
    assert log_line({"timestamp": 9, "message": "START\n"}) == LogLine(9, "START", {})
    assert log_line({"timestamp": 9, "message": "[1]"}) == LogLine(9, "[1]", {})
