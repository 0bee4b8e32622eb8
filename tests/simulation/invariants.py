"""The laws: what is true after every storm, each with its name.

A law yields what breaks it: nothing, if the promise was kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from simulation.agents import AGENTS, MAX_ATTEMPTS
from simulation.expected import expected
from simulation.history import Execution, Life
from simulation.observation import Seen
from simulation.world import NAMES
from sqswarm.schemas.errors import PoisonMessage
from sqswarm.schemas.json import loads
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.message import decode
from sqswarm.schemas.writes import Item


@dataclass(frozen=True, kw_only=True)
class Violation:
    """A broken law. `task_id` is empty where it is nobody's in particular."""

    law: str
    task_id: str
    what: str


_REACHED_S = 3600
"""A cancel whose program died reaches the children by way of the sweep, and faults delay that."""

Law = Callable[[Seen], Iterator[Violation]]


def nothing_lost(seen: Seen) -> Iterator[Violation]:
    """A task that somebody got a handle for ends in exactly one recorded result."""
    for task_id in seen.handles:
        life = seen.world.life(task_id)
        if life.status is None:
            yield Violation(law="nothing-lost", task_id=task_id, what="there is no record of it")
        elif not life.status.terminal:
            yield Violation(law="nothing-lost", task_id=task_id, what=f"it is {life.status}")


def result_written_once(seen: Seen) -> Iterator[Violation]:
    """A task ends once, and what it ended with stays: terminal is final."""
    yield from _wrongs(seen, "result-written-once")
    for life, _ in seen.lives():
        if life.endings > 1:
            what = f"it ended {life.endings} times"
            yield Violation(law="result-written-once", task_id=life.task_id, what=what)


def one_live_execution(seen: Seen) -> Iterator[Violation]:
    """With honest leases never two live executions of a task at a time (not in lean mode)."""
    yield from _wrongs(seen, "one-live-execution")


def fenced(seen: Seen) -> Iterator[Violation]:
    """No worker settles, parks, releases or records under a lease that another has taken over."""
    yield from _wrongs(seen, "fenced")


def no_stuck(seen: Seen) -> Iterator[Violation]:
    """The swarm comes to rest: every record has ended, and no queue or index holds anything."""
    if not seen.quiet:
        yield Violation(law="no-stuck", task_id="", what="it never comes to rest")
        return
    for life, item in seen.lives():
        if not Status(item["status"]).terminal:
            what = f"it stays {item['status']} in phase {item['phase']}"
            yield Violation(law="no-stuck", task_id=life.task_id, what=what)
    for task_id in seen.due():
        yield Violation(law="no-stuck", task_id=task_id, what="it stays in the sweep index")
    for name in AGENTS:
        for body in seen.world.bus.bodies(NAMES.queue(name)):
            what = f"{name}'s queue still holds {body}"
            yield Violation(law="no-stuck", task_id="", what=what)


def attempts_bounded(seen: Seen) -> Iterator[Violation]:
    """No task runs more often than its waits, its failures and its losses explain."""
    for life, item in seen.lives():
        if any(run.token is None for run in life.executions):
            continue  # lean: at least once is all it promises
        tokens = {run.token for run in life.executions}
        what = ""
        if len(tokens) != len(life.executions):
            what = "two executions had the same version"
        elif max((run.attempt for run in life.executions), default=0) > MAX_ATTEMPTS:
            what = "an attempt over the limit"
        elif len(life.executions) > (life.suspensions + 1) * MAX_ATTEMPTS:
            what = f"{len(life.executions)} executions, {life.suspensions} waits"
        elif idle := [run for run in life.executions if _came_to_nothing(run, life, item)]:
            what = f"attempt {idle[0].attempt} returned, and no misfortune explains why it is lost"
        if what:
            yield Violation(law="attempts-bounded", task_id=life.task_id, what=what)


def _came_to_nothing(run: Execution, life: Life, item: Item) -> bool:
    """Tell whether a run returned and its result was dropped without any reason."""
    if run.how != "returned" or run.token == life.settled_by:
        return False
    unlucky = run.process.dead or run.process.misfortunes > 0
    return not unlucky and item["status"] != Status.CANCELLED


def every_failure_has_a_letter(seen: Seen) -> Iterator[Violation]:
    """Every failed task has a reason, and a dead letter that tells it."""
    explained = seen.explained()
    for life, item in seen.lives():
        if item["status"] != Status.FAILED:
            continue
        error = loads(item["error"]) if "error" in item else {}
        if not error.get("message") or not error.get("data", {}).get("type"):
            what = "it failed without a reason"
            yield Violation(law="every-failure-has-a-letter", task_id=life.task_id, what=what)
        if (item["agent"], life.task_id) not in explained:
            what = f"no dead letter of {item['agent']} tells why it failed"
            yield Violation(law="every-failure-has-a-letter", task_id=life.task_id, what=what)


def poison_is_put_aside(seen: Seen) -> Iterator[Violation]:
    """A message that cannot be parsed ends in a dead-letter queue with the reason."""
    letters = [
        body
        for name in AGENTS
        for body, attributes in seen.world.bus.letters(NAMES.dead_letter_queue(name))
        if attributes.get("reason")
    ]
    for body in seen.world.storm.poison:
        if body not in letters:
            what = f"no dead letter holds {body!r}"
            yield Violation(law="poison-is-put-aside", task_id="", what=what)
    for name in AGENTS:
        for body, attributes in seen.world.bus.letters(NAMES.dead_letter_queue(name)):
            if "reason" not in attributes:
                what = f"a dead letter of {name} without a reason"
                yield Violation(law="poison-is-put-aside", task_id=_task_of(body), what=what)


def joins_fire_once(seen: Seen) -> Iterator[Violation]:
    """A join fires once per wait, after all its children ended; a cancelled parent's may not."""
    yield from _wrongs(seen, "joins-fire-once")
    for life, item in seen.lives():
        planned = life.plans - (item["phase"] == "waiting" and item["status"] == "cancelled")
        if life.fires != planned:
            what = f"{life.plans} waits for children, {life.fires} joins"
            yield Violation(law="joins-fire-once", task_id=life.task_id, what=what)


def suspends_once(seen: Seen) -> Iterator[Violation]:
    """A run is put to wait once: no echo of it puts the task to wait again."""
    yield from _wrongs(seen, "suspends-once")


def answers_stay(seen: Seen) -> Iterator[Violation]:
    """An answer that is recorded stays as it is: nobody is asked again for what he has said."""
    yield from _wrongs(seen, "answers-stay")


def cancel_keeps_its_word(seen: Seen) -> Iterator[Violation]:
    """A task stays what cancel said that it had ended as."""
    for task_id, said in seen.callers.ended:
        status = seen.world.life(task_id).status
        if status is not said:
            what = f"cancel said {said}, and it is {status}"
            yield Violation(law="cancel-keeps-its-word", task_id=task_id, what=what)


def cancel_reaches_children(seen: Seen) -> Iterator[Violation]:
    """The children that a cancelled task waited for are cancelled, or had ended about then."""
    for life in seen.world.lives.values():
        if life.orphans is None:
            continue
        at_s, children = life.orphans
        for child in map(seen.world.lives.get, children):
            what = ""
            if child is None or child.item is None:
                what = "a child that was never made may be made yet"
            elif child.status is not Status.CANCELLED and child.ended_s > at_s + _REACHED_S:
                what = f"a child ended {child.status} {child.ended_s - at_s:.0f} s later"
            if what:
                yield Violation(law="cancel-reaches-children", task_id=life.task_id, what=what)


def redriven_once(seen: Seen) -> Iterator[Violation]:
    """However often an ended task is redriven, one new task comes of it, linked both ways."""
    again: dict[str, list[str]] = {}
    for life, item in seen.lives():
        if "redriven_from" in item:
            again.setdefault(item["redriven_from"], []).append(life.task_id)
    for task_id, made in again.items():
        if len(made) > 1:
            what = f"it was redriven as {len(made)} tasks"
            yield Violation(law="redriven-once", task_id=task_id, what=what)
    for task_id, new_id in seen.callers.redriven:
        item = seen.world.life(task_id).item or {}
        if item.get("redriven_as") != new_id or again.get(task_id) != [new_id]:
            what = f"it is not linked with {new_id}"
            yield Violation(law="redriven-once", task_id=task_id, what=what)


def steps_run_once(seen: Seen) -> Iterator[Violation]:
    """A step that is recorded is not run again by who holds the task."""
    yield from _wrongs(seen, "steps-run-once")


def results_are_right(seen: Seen) -> Iterator[Violation]:
    """A task ends as its script says, unless it was cancelled or its workers were lost."""
    for life, item in seen.lives():
        what = expected(item)
        if what:
            yield Violation(law="results-are-right", task_id=life.task_id, what=what)


def workers_raise_nothing(seen: Seen) -> Iterator[Violation]:
    """Whatever goes wrong, the runtime answers with each message's fate."""
    for law, what in seen.world.wrongs:
        if law == "workers-raise-nothing":
            yield Violation(law=law, task_id="", what=what)
    for error in seen.world.loop.errors:
        what = f"{error.get('message')}: {error.get('exception')!r}"
        yield Violation(law="workers-raise-nothing", task_id="", what=what)


LAWS: tuple[Law, ...] = (
    nothing_lost,
    result_written_once,
    one_live_execution,
    fenced,
    no_stuck,
    attempts_bounded,
    every_failure_has_a_letter,
    poison_is_put_aside,
    joins_fire_once,
    suspends_once,
    answers_stay,
    cancel_keeps_its_word,
    cancel_reaches_children,
    redriven_once,
    steps_run_once,
    results_are_right,
    workers_raise_nothing,
)


def name_of(law: Law) -> str:
    """Return what a law is called in violations."""
    return law.__name__.replace("_", "-")


def _wrongs(seen: Seen, law: str) -> Iterator[Violation]:
    for life in seen.world.lives.values():
        for name, what in life.wrongs:
            if name == law:
                yield Violation(law=law, task_id=life.task_id, what=what)


def _task_of(body: str) -> str:
    try:
        return decode(body).id
    except PoisonMessage:
        return ""
