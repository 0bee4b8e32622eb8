"""The diagram of a task's statuses, as the table of transitions has them."""

from __future__ import annotations


def state_diagram() -> str:
    """Return the Mermaid source: an arrow for each pair of statuses, with the events between.

    What leaves the status as it is stands in a note beside it.
    """
    from sqswarm.schemas.lifecycle import TERMINAL, TRANSITIONS, Status

    between: dict[tuple[Status, Status], list[str]] = {}
    for (before, event), after in TRANSITIONS.items():
        between.setdefault((before, after), []).append(event.value)
    lines = ["stateDiagram-v2", f"  [*] --> {Status.WORKING.value}: submitted"]
    for (before, after), events in between.items():
        if before is after:  # an arrow from a box to itself is drawn over others
            lines += [f"  note right of {before.value}", "    goes on when", *_indented(events)]
            lines.append("  end note")
        else:
            lines.append(f"  {before.value} --> {after.value}: {'<br>'.join(events)}")
    lines += [f"  {status.value} --> [*]" for status in Status if status in TERMINAL]
    return "\n".join(lines) + "\n"


def _indented(events: list[str]) -> list[str]:
    return [f"    {event}" for event in events]
