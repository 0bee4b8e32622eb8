"""The state diagram, and the words around it, are what schemas/lifecycle.py says."""

import re
from pathlib import Path

from documented import blocks
from state_diagram import state_diagram

from sqswarm.schemas.lifecycle import TERMINAL, TRANSITIONS, Event, Status

PAGE = Path(__file__).parents[2] / "docs" / "concepts" / "life_of_a_task.md"
NOTE = re.compile(r"note right of (\w+)\n    goes on when\n(.*?)  end note", re.DOTALL)
ARROW = re.compile(r"^  (\w+) --> (\w+): (.+)$", re.MULTILINE)


def shown():
    [diagram] = [block for block in blocks(PAGE) if block.language == "mermaid"]
    return diagram.text


def test_the_pages_diagram_is_the_one_that_the_code_makes():
    assert shown() == state_diagram()


def test_it_shows_every_transition_and_no_other():
    arrows = {
        (Status(before), Event(event)): Status(after)
        for before, after, events in ARROW.findall(shown())
        for event in events.split("<br>")
    }
    [note] = NOTE.findall(shown())
    stays = {(Status(note[0]), Event(event)): Status(note[0]) for event in note[1].split()}
    assert arrows | stays == dict(TRANSITIONS)


def test_it_begins_and_ends_where_tasks_do():
    assert "[*] --> working: submitted" in shown()
    assert set(re.findall(r"(\w+) --> \[\*\]", shown())) == {status.value for status in TERMINAL}


def test_every_status_and_event_is_explained():
    rows = [line for line in PAGE.read_text().splitlines() if line.startswith("| `")]
    explained = [word for row in rows for word in re.findall(r"`(\w+)`", row.split("|")[1])]
    assert sorted(explained) == sorted(each.value for each in (*Status, *Event))
