"""What the task's page draws: bars on one scale, and a graph without syntax from outside."""

from sqswarm.infra.console.gantt import bars
from sqswarm.infra.console.graph import mermaid_of
from sqswarm.infra.console.text import as_json, one_line, visible
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.timeline import Span, SpanKind, Timeline


def _span(kind, name, began, ended, *children, **more):
    return Span(
        kind=SpanKind(kind), name=name, began_ms=began, ended_ms=ended, children=children, **more
    )


def _timeline(*spans, ended=None):
    return Timeline(
        task_id="root",
        agent="boss",
        status=Status.WORKING,
        began_ms=1000,
        ended_ms=ended,
        queue_ms=0,
        run_ms=0,
        wait_ms=0,
        spans=spans,
    )


def test_bars_lie_on_one_scale_and_parents_come_first():
    step = _span("step", "outline", 1500, 2000)
    rows = bars(_timeline(_span("attempt", "attempt 1", 1000, 3000, step), ended=5000), 9000)
    assert [(one.name, one.depth, one.left, one.width) for one in rows] == [
        ("attempt 1", 0, 0.0, 50.0),
        ("outline", 1, 12.5, 12.5),
    ]


def test_what_goes_on_reaches_to_now_and_what_took_no_time_is_seen():
    rows = bars(_timeline(_span("ask", "ok", 2000, None), _span("step", "quick", 5000, 5000)), 5000)
    assert (rows[0].open, rows[0].left, rows[0].width) == (True, 25.0, 75.0)
    assert rows[1].width > 0
    assert rows[1].left + rows[1].width <= 100


def test_clocks_that_differ_draw_nothing_outside():
    rows = bars(_timeline(_span("attempt", "attempt 1", 900, 800), ended=1000), 1000)
    assert (rows[0].left, rows[0].took_s) == (0.0, 0)


def test_a_graph_has_no_words_but_names_and_parts_of_ids():
    hostile = 'x"]; click n0 "javascript:alert(1)"'
    child = _span("child", hostile, 1, 2, task_id="abcdef", outcome="completed")
    source, tasks = mermaid_of(_timeline(_span("attempt", "attempt 1", 1, 2, child)))
    assert tasks == ["root", "abcdef"]
    assert 'n1["x___ click' not in source
    assert "javascript:" not in source
    assert "  n0 --> n1" in source.splitlines()


def test_a_task_that_started_none_has_no_graph():
    assert mermaid_of(_timeline(_span("attempt", "attempt 1", 1, 2))) is None


def test_what_hides_is_shown_and_what_does_not_stays():
    assert visible("a\u202eb\x1b[0m\u200bc\nd\té✓") == "a⟨U+202E⟩b⟨U+001B⟩[0m⟨U+200B⟩c\nd\té✓"
    assert one_line("a\n  b\u2028c", limit=9) == "a b c"
    assert as_json({"k": "\u202eé\x07"}, indent=None) == '{"k": "\\u202eé\\u0007"}'
