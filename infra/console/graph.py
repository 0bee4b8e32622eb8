"""Graph: a task, the tasks it started, and those it has an event from or to, as a Mermaid diagram.

Its nodes are numbers; their words are agents' names and parts of ids, which hold no syntax.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator

from nicegui import ui

from sqswarm.schemas.timeline import Span, SpanKind, Timeline

_NODES_LIMIT = 60
_WORD = re.compile(r"[^A-Za-z0-9_-]")
_CLASSES = {
    "completed": "fill:#dcf3e6,stroke:#11693f,color:#11351f",
    "failed": "fill:#fce4e6,stroke:#b1202f,color:#4d0d14",
    "working": "fill:#dcebfb,stroke:#1d5b9c,color:#0f2f52",
    "input_required": "fill:#fdeecb,stroke:#7a4b00,color:#3d2600",
    "cancelled": "fill:#e7eaee,stroke:#4f5968,color:#272c34",
}


def mermaid_of(timeline: Timeline) -> tuple[str, list[str]] | None:
    """Return the diagram's source and the task of each node; None where no task was started."""
    tasks = [timeline.task_id]
    lines = ["flowchart LR", _node(0, timeline.agent, timeline.task_id, timeline.status.value)]
    more = 0
    for parent, task_id, child in _children(timeline.spans, timeline.task_id):
        if len(tasks) == _NODES_LIMIT or parent not in tasks:
            more += 1
            continue
        tasks.append(task_id)
        number = len(tasks) - 1
        lines.append(_node(number, child.name, task_id, child.outcome or "working"))
        lines.append(f"  n{tasks.index(parent)} --> n{number}")
    for by in timeline.published_by:
        agent, _, task_id = by.partition("#")
        lines += [_node(len(tasks), agent, task_id, ""), f"  n{len(tasks)} -. event .-> n0"]
        tasks.append(task_id)
    for one in timeline.published[: _NODES_LIMIT - len(tasks)]:
        lines.append(_node(len(tasks), one.name, one.task_id or "", one.outcome or "working"))
        lines.append(f"  n0 -. event .-> n{len(tasks)}")
        tasks.append(one.task_id or "")
    if len(tasks) == 1:
        return None
    if more:
        lines += [f'  more["{more} more"]', "  n0 -.-> more"]
    lines += [f"  classDef {name} {style}" for name, style in _CLASSES.items()]
    return "\n".join(lines), tasks


def _node(number: int, agent: str, task_id: str, status: str) -> str:
    words = f"{_WORD.sub('_', agent)}<br/>{_WORD.sub('_', task_id[-6:])}"
    known = f":::{status}" if status in _CLASSES else ""
    return f'  n{number}["{words}"]{known}'


def _children(spans: Iterable[Span], parent: str) -> Iterator[tuple[str, str, Span]]:
    for one in spans:
        if one.kind is SpanKind.CHILD and one.task_id is not None:
            yield parent, one.task_id, one
            yield from _children(one.children, one.task_id)
        else:
            yield from _children(one.children, parent)


def graph(source: str, tasks: list[str], *, dark: bool) -> None:
    """Draw it; a click on a node goes to its task, as the timeline's links do."""
    config = {"securityLevel": "strict", "theme": "dark" if dark else "neutral"}
    with (
        ui.element("div")
        .classes("sq-graph")
        .props(f'role=img aria-label="{len(tasks)} tasks, as the timeline lists them" tabindex=0')
    ):
        drawn = ui.mermaid(source, config=config)
    drawn.on_node_click(lambda event: _open(event.node_id, tasks))


def _open(node: str, tasks: list[str]) -> None:
    number = node.removeprefix("n")
    if number.isdecimal() and int(number) < len(tasks):
        ui.navigate.to(f"/tasks/{tasks[int(number)]}")
