"""The invariants: what is true after every storm, each with its name.

An invariant yields what breaks it: nothing, if the promise was kept.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from simulation.agents import MAX_ATTEMPTS, topic_of
from simulation.complete_history import incomplete
from simulation.event_agents import PARTS, PUBLISHERS, SUBSCRIBERS, WITHIN_S
from simulation.expected import expected
from simulation.history import Execution, History
from simulation.observation import Observation
from simulation.process import EPOCH_MS
from simulation.world import NAMED, NAMES, TOLD
from sqswarm.schemas.errors import PoisonMessage
from sqswarm.schemas.ids import event_task_id, result_event_id
from sqswarm.schemas.join import join_task_id
from sqswarm.schemas.journal import child_id, entries
from sqswarm.schemas.json import loads
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.message import decode
from sqswarm.schemas.protocol.run import LISTED
from sqswarm.schemas.results import WRAPPED_KEY
from sqswarm.schemas.task import TaskRecord
from sqswarm.schemas.undo import GIVEN_UP, UNDO_ATTEMPTS, Undoing
from sqswarm.schemas.writes import Item


@dataclass(frozen=True, kw_only=True)
class Violation:
    """A broken law. `task_id` is empty where it is nobody's in particular."""

    invariant: str
    task_id: str
    what: str


_REACHED_S = 3600
"""A cancel whose program died reaches the children by way of the sweep, and faults delay that."""

_AT_ONCE_S = 10

_SKEW_S = 4
"""Two clocks, each up to two seconds wrong."""

_PARKS_A_DEPLOY = 4
"""By the code that runs, by the walk at a deployment's end, and by the looks soon after it."""

Invariant = Callable[[Observation], Iterator[Violation]]


def nothing_lost(seen: Observation) -> Iterator[Violation]:
    """A task that somebody got a handle for ends in exactly one recorded result."""
    for task_id in seen.handles:
        history = seen.world.history(task_id)
        if history.status is None:
            yield Violation(
                invariant="nothing-lost", task_id=task_id, what="there is no record of it"
            )
        elif not history.status.terminal:
            yield Violation(
                invariant="nothing-lost", task_id=task_id, what=f"it is {history.status}"
            )


def result_written_once(seen: Observation) -> Iterator[Violation]:
    """A task ends once, and what it ended with stays: terminal is final."""
    yield from _wrongs(seen, "result-written-once")
    for history, _ in seen.histories():
        if history.endings > 1:
            what = f"it ended {history.endings} times"
            yield Violation(invariant="result-written-once", task_id=history.task_id, what=what)


def one_live_execution(seen: Observation) -> Iterator[Violation]:
    """With honest leases never two live executions of a task at a time (not in lean mode)."""
    yield from _wrongs(seen, "one-live-execution")


def fenced(seen: Observation) -> Iterator[Violation]:
    """No worker settles, parks, releases or records under a lease that another has taken over."""
    yield from _wrongs(seen, "fenced")


def no_stuck(seen: Observation) -> Iterator[Violation]:
    """The swarm comes to rest: every record has ended, and no queue or index holds anything."""
    if not seen.quiet:
        yield Violation(invariant="no-stuck", task_id="", what="it never comes to rest")
        return
    for history, item in seen.histories():
        if not Status(item["status"]).terminal:
            what = f"it stays {item['status']} in phase {item['phase']}"
            yield Violation(invariant="no-stuck", task_id=history.task_id, what=what)
    for task_id in seen.due():
        yield Violation(invariant="no-stuck", task_id=task_id, what="it stays in the sweep index")
    for name in seen.world.agents:
        for body in seen.world.bus.bodies(NAMES.queue(name)):
            what = f"{name}'s queue still holds {body}"
            yield Violation(invariant="no-stuck", task_id="", what=what)


def attempts_bounded(seen: Observation) -> Iterator[Violation]:
    """No task runs more often than its waits, its failures and its losses explain."""
    for history, item in seen.histories():
        if any(run.token is None for run in history.executions):
            continue  # lean: at least once is all it promises
        tokens = {run.token for run in history.executions}
        runs = [run for run in history.executions if not run.undoes]
        undos = len(history.executions) - len(runs)
        what = ""
        if len(tokens) != len(history.executions):
            what = "two executions had the same version"
        elif max((run.attempt for run in runs), default=0) > MAX_ATTEMPTS:
            what = "an attempt over the limit"
        elif len(runs) > (history.suspensions + 1) * MAX_ATTEMPTS:
            what = f"{len(runs)} executions, {history.suspensions} waits"
        elif undos > (len(history.undone) + 1) * UNDO_ATTEMPTS + history.parks:
            what = f"{undos} executions to undo, {len(history.undone)} undone"
        elif idle := [run for run in runs if _came_to_nothing(run, history, item)]:
            what = f"attempt {idle[0].attempt} returned, and no misfortune explains why it is lost"
        if what:
            yield Violation(invariant="attempts-bounded", task_id=history.task_id, what=what)


def _came_to_nothing(run: Execution, history: History, item: Item) -> bool:
    """Tell whether a run returned and its result was dropped without any reason."""
    if run.how != "returned" or run.token == history.settled_by:
        return False
    if any(one.token == run.token and one.ended == "parked" for one in history.acquired):
        return False  # it returned before it met all that is recorded
    unlucky = run.process.dead or run.process.misfortunes > 0
    # One that could not be undone ends as failed, whatever began the undo.
    cancelled = "undo" in item and Undoing.from_text(item["undo"]).error is None
    return not (unlucky or cancelled or item["status"] == Status.CANCELLED)


def every_failure_has_a_letter(seen: Observation) -> Iterator[Violation]:
    """Every failed task has a reason, and a dead letter that tells it."""
    explained = seen.explained()
    for history, item in seen.histories():
        if item["status"] != Status.FAILED:
            continue
        error = loads(item["error"]) if "error" in item else {}
        if not error.get("message") or not error.get("data", {}).get("type"):
            what = "it failed without a reason"
            yield Violation(
                invariant="every-failure-has-a-letter", task_id=history.task_id, what=what
            )
        agent = TaskRecord.from_item(item).agent
        if (agent, history.task_id) not in explained:
            what = f"no dead letter of {agent} tells why it failed"
            yield Violation(
                invariant="every-failure-has-a-letter", task_id=history.task_id, what=what
            )


def poison_is_put_aside(seen: Observation) -> Iterator[Violation]:
    """What no agent can run ends in a dead-letter queue with the reason, and leaves no record."""
    letters = [
        body
        for name in seen.world.agents
        for body, attributes in seen.world.bus.letters(NAMES.dead_letter_queue(name))
        if attributes.get("reason")
    ]
    for body in seen.world.fault_plan.poison:
        task_id = _task_of(body)
        if body not in letters:
            what = f"no dead letter holds {body[:300]!r}"
            yield Violation(invariant="poison-is-put-aside", task_id=task_id, what=what)
        if task_id in seen.world.histories:
            what = f"a record was made of {body[:300]!r}"
            yield Violation(invariant="poison-is-put-aside", task_id=task_id, what=what)
    for name in seen.world.agents:
        for body, attributes in seen.world.bus.letters(NAMES.dead_letter_queue(name)):
            if "reason" not in attributes:
                what = f"a dead letter of {name} without a reason"
                yield Violation(invariant="poison-is-put-aside", task_id=_task_of(body), what=what)


def neighbours_unharmed(seen: Observation) -> Iterator[Violation]:
    """What shares a batch with poison completes at once, at its first attempt, as ever."""
    plan = seen.world.fault_plan
    fine = all(one.script == ("ok",) and one.cancel_after_s is None for one in plan.orders)
    storm = plan.misfortunes or plan.aims or plan.accidents or plan.early or plan.receives
    storm = storm or plan.pauses
    if not plan.poison or storm or not fine:
        return  # something else may have gone wrong, too
    for history, item in seen.histories():
        late_s = history.ended_s - (item["created"] - EPOCH_MS) / 1000
        if item["status"] != "completed" or len(history.executions) != 1:
            what = f"{item['status']} after {len(history.executions)} executions"
        elif late_s > _AT_ONCE_S:
            what = f"it completed {late_s:.0f} s after it was sent"
        else:
            continue
        yield Violation(invariant="neighbours-unharmed", task_id=history.task_id, what=what)


def joins_fire_once(seen: Observation) -> Iterator[Violation]:
    """A join fires once per wait, after all its children ended; a cancelled parent's may not."""
    yield from _wrongs(seen, "joins-fire-once")
    for history, item in seen.histories():
        planned = history.plans - history.given_up
        planned -= (
            item["phase"] == "waiting" and item["status"] == "cancelled" and "undo" not in item
        )
        if history.fires != planned:
            what = f"{history.plans} waits for children, {history.fires} joins"
            yield Violation(invariant="joins-fire-once", task_id=history.task_id, what=what)


def suspends_once(seen: Observation) -> Iterator[Violation]:
    """A run is put to wait once: no echo of it puts the task to wait again."""
    yield from _wrongs(seen, "suspends-once")


def answers_stay(seen: Observation) -> Iterator[Violation]:
    """An answer that is recorded stays as it is: nobody is asked again for what he has said."""
    yield from _wrongs(seen, "answers-stay")


def signals_arrive_once(seen: Observation) -> Iterator[Violation]:
    """What is sent is recorded once, and received in that order; what was thanked for is there."""
    for history, item in seen.histories():
        what = ""
        for topic, values in history.signals.items():
            if len(set(values)) < len(values):
                what = f"{topic} has {values}: one was recorded twice"
        script = loads(item.get("arguments", "{}")).get("script")
        if item["status"] == "completed" and script is not None and "result" in item:
            results = loads(item["result"])[WRAPPED_KEY]
            for number, (piece, got) in enumerate(zip(script, results, strict=True)):
                sent = history.signals.get(topic_of(number), [])
                if piece.startswith("receive:") and got not in (sent, "default", *sent[:1]):
                    what = f"{piece} number {number} gave {got}, and sent was {sent}"
        if what:
            yield Violation(invariant="signals-arrive-once", task_id=history.task_id, what=what)
    for one in seen.senders.accepted:
        if one.value not in seen.world.history(one.task_id).signals.get(one.topic, []):
            what = f"{one.value!r} was thanked for, and is not there"
            yield Violation(invariant="signals-arrive-once", task_id=one.task_id, what=what)


def cancel_keeps_its_word(seen: Observation) -> Iterator[Violation]:
    """A task stays what cancel said that it had ended as; what it left to be undone is ended."""
    for task_id, said in seen.callers.ended:
        status = seen.world.history(task_id).status
        undone = said is Status.WORKING and status in {Status.CANCELLED, Status.FAILED}
        if status is not said and not undone:
            what = f"cancel said {said}, and it is {status}"
            yield Violation(invariant="cancel-keeps-its-word", task_id=task_id, what=what)


def cancel_reaches_children(seen: Observation) -> Iterator[Violation]:
    """The children that a cancelled task waited for are cancelled, or had ended about then."""
    for history in seen.world.histories.values():
        if history.orphans is None:
            continue
        at_s, children = history.orphans
        for child in map(seen.world.histories.get, children):
            what = ""
            if child is None or child.item is None:
                what = "a child that was never made may be made yet"
            elif "undo" in child.item:
                continue  # it was reached, and undone for as long as that takes
            elif child.status is not Status.CANCELLED and child.ended_s > at_s + _REACHED_S:
                what = f"a child ended {child.status} {child.ended_s - at_s:.0f} s later"
            if what:
                yield Violation(
                    invariant="cancel-reaches-children", task_id=history.task_id, what=what
                )


def redriven_once(seen: Observation) -> Iterator[Violation]:
    """However often an ended task is redriven, one new task comes of it, linked both ways."""
    again: dict[str, list[str]] = {}
    for history, item in seen.histories():
        if "redriven_from" in item:
            again.setdefault(item["redriven_from"], []).append(history.task_id)
    for task_id, made in again.items():
        if len(made) > 1:
            what = f"it was redriven as {len(made)} tasks"
            yield Violation(invariant="redriven-once", task_id=task_id, what=what)
    for task_id, new_id in seen.callers.redriven:
        item = seen.world.history(task_id).item or {}
        if item.get("redriven_as") != new_id or again.get(task_id) != [new_id]:
            what = f"it is not linked with {new_id}"
            yield Violation(invariant="redriven-once", task_id=task_id, what=what)


def nothing_is_done_twice(seen: Observation) -> Iterator[Violation]:
    """What goes on where a task ended does none of its recorded steps again, nor starts a child
    that had completed.
    """
    for new_id, old_id in seen.callers.went_on.items():
        old, new = seen.world.history(old_id).item, seen.world.history(new_id).item
        if old is None or new is None:
            continue
        done = {
            key.sk.removeprefix("step#") for key in seen.world.store.items if key.pk == old["pk"]
        }
        what = ""
        if again := done & seen.world.history(new_id).worked:
            what = f"it did {sorted(again)} again, which {old_id} had recorded"
        elif started := _completed(seen, old_id) & _started(new):
            what = f"it started {sorted(started)} again, which had completed for {old_id}"
        if what:
            yield Violation(invariant="nothing-is-done-twice", task_id=new_id, what=what)


def _started(item: Item) -> set[str]:
    """Return the keys of the children that a task has planned itself."""
    plans = [one for one in entries(item.get("waits")) if one["kind"] == "children"]
    return {
        child["key"] for plan in plans for child in plan.get("children", ()) if "of" not in child
    }


def _completed(seen: Observation, task_id: str) -> set[str]:
    item = seen.world.history(task_id).item or {}
    return {
        key
        for key in _started(item)
        if seen.world.history(child_id(task_id, key)).status is Status.COMPLETED
    }


def steps_run_once(seen: Observation) -> Iterator[Violation]:
    """A step that is recorded is not run again by who holds the task."""
    yield from _wrongs(seen, "steps-run-once")


def undone_in_reverse(seen: Observation) -> Iterator[Violation]:
    """A failed or cancelled task has undone every recorded step that has an undo, the last first.

    A completed one none; one that could not undo a step says so, and which steps are left.
    """
    yield from _wrongs(seen, "undone-in-reverse")
    for history, item in seen.histories():
        record = TaskRecord.from_item(item)
        left = seen.world.not_undone(record.key)
        told = (record.error or {}).get("data", {}).get("undo", {})
        what = ""
        if history.undone != sorted(history.undone, reverse=True):
            what = f"it was undone in the order {history.undone}"
        elif record.status is Status.COMPLETED and history.undone:
            what = "it completed and was undone"
        elif record.error_type == "UndoFailed":
            if told.get("left", left) != left:
                what = f"it says that {told['left']} are not undone, and {left} are not"
            elif told["then"] != ("cancelled" if "error" not in told else "failed"):
                what = f"it says that it was to end {told['then']}"
        elif record.status_message == GIVEN_UP:
            what = "" if record.status is Status.CANCELLED else "its undo was given up"
        elif record.status.terminal and record.status is not Status.COMPLETED and left:
            what = f"it is {record.status.value}, and {left} are not undone"
        if what:
            yield Violation(invariant="undone-in-reverse", task_id=history.task_id, what=what)


def results_are_right(seen: Observation) -> Iterator[Violation]:
    """A task ends as its script says, unless it was cancelled or its workers were lost."""
    for history, item in seen.histories():
        what = expected(item)
        if what:
            yield Violation(invariant="results-are-right", task_id=history.task_id, what=what)


def history_is_complete(seen: Observation) -> Iterator[Violation]:
    """Each attempt stands in its task's history once, as it ended; stretches add up to its time."""
    for task_id, what in incomplete(seen):
        yield Violation(invariant="history-is-complete", task_id=task_id, what=what)


def whatever_ran_is_listed(seen: Observation) -> Iterator[Violation]:
    """Every task that has a record is listed, once, and under its status; nothing else is."""
    everything = seen.listed(None)
    by_status = {status: seen.listed(status) for status in Status}
    for history, item in seen.histories():
        status = Status(item["status"])
        counts = {
            "all tasks": (everything.count(history.task_id), 1),
            **{
                str(one.value): (found.count(history.task_id), int(one is status))
                for one, found in by_status.items()
            },
        }
        for where, (count, due) in counts.items():
            if count != due:
                what = f"it is {status.value} and stands {count} times in the list of {where}"
                yield Violation(
                    invariant="whatever-ran-is-listed", task_id=history.task_id, what=what
                )
        if ("listed" in item) != (status in LISTED or history.is_parked):
            what = f"it is {status.value} and listed as {item.get('listed')}"
            yield Violation(invariant="whatever-ran-is-listed", task_id=history.task_id, what=what)


def whoever_is_to_be_told_is_told(seen: Observation) -> Iterator[Violation]:
    """Who is named is told of a task's end, as it ended, under one id; and of nothing else."""
    bus = seen.world.bus
    told = {target: [loads(body) for body in bus.told.get(target, ())] for target in (TOLD, NAMED)}
    ended = {target: {one["id"]: one["type"] for one in found} for target, found in told.items()}
    ids = {f"{history.task_id}-ended" for history, _ in seen.histories()}
    for target, found in told.items():
        for one in found:
            what = ""
            if one["type"] != ended[target][one["id"]]:
                what = f"{target} was told of two ends of it"
            elif one["id"] not in ids:
                what = f"{target} was told of it, and there is no record"
            if what:
                yield Violation(
                    invariant="whoever-is-to-be-told-is-told", task_id=one["subject"], what=what
                )
    for history, item in seen.histories():
        wanted = {TOLD: seen.world.fault_plan.told, NAMED: "notify" in item}
        for target, owed in wanted.items():
            said = ended[target].get(f"{history.task_id}-ended")
            due = f"sqswarm.task.{item['status']}" if owed else None
            if said != due and Status(item["status"]).terminal:
                what = f"it is {item['status']}, and {target} was told {said}"
                yield Violation(
                    invariant="whoever-is-to-be-told-is-told", task_id=history.task_id, what=what
                )


def a_deploy_ends_no_task(seen: Observation) -> Iterator[Violation]:
    """Whatever code is deployed: tasks that do not fit it are parked, and run no more than that."""
    yield from _wrongs(seen, "a-deploy-ends-no-task")
    plan = seen.world.fault_plan
    deploys = seen.world.deployments
    calm = not (plan.misfortunes or plan.aims or plan.accidents or plan.early or plan.receives)
    # A task that takes its process along takes its neighbours' attempts along too.
    calm = calm and not any(_dies(item) for _, item in seen.histories())
    for history, item in seen.histories():
        what = ""
        if history.parks > _PARKS_A_DEPLOY * (deploys + 1) + 2:
            what = f"it was parked {history.parks} times by {deploys} deployments"
        elif deploys and calm and '"WorkerLost"' in item.get("error", ""):
            what = "nothing went wrong but a deployment, and its worker was lost"
        if what:
            yield Violation(invariant="a-deploy-ends-no-task", task_id=history.task_id, what=what)


def _dies(item: Item) -> bool:
    return "die" in item.get("arguments", "") or "hang" in item.get("arguments", "")


def paused_is_held_back(seen: Observation) -> Iterator[Violation]:
    """While a task is paused no worker takes it, but to undo it."""
    yield from _wrongs(seen, "paused-is-held-back")


def workers_raise_nothing(seen: Observation) -> Iterator[Violation]:
    """Whatever goes wrong, the runtime answers with each message's fate."""
    for invariant, what in seen.world.wrongs:
        if invariant == "workers-raise-nothing":
            yield Violation(invariant=invariant, task_id="", what=what)
    for error in seen.world.loop.errors:
        what = f"{error.get('message')}: {error.get('exception')!r}"
        yield Violation(invariant="workers-raise-nothing", task_id="", what=what)


def limits_hold(seen: Observation) -> Iterator[Violation]:
    """With honest leases never more tasks run at a time than their agent's limit says.

    That none of them waits for ever is `no-stuck`.
    """
    yield from _wrongs(seen, "limits-hold")


def deadlines_hold(seen: Observation) -> Iterator[Violation]:
    """After a task's deadline no run of it begins, but to undo; and no wait keeps it from ending.

    That it ends is `no-stuck`, and that it says why is `results-are-right`.
    """
    yield from _wrongs(seen, "deadlines-hold")
    for history, item in seen.histories():
        if '"DeadlineExceeded"' in item.get("error", "") and "deadline" not in item:
            what = "it had no deadline, and ended by one"
            yield Violation(invariant="deadlines-hold", task_id=history.task_id, what=what)


def singletons_are_single(seen: Observation) -> Iterator[Violation]:
    """Of a singleton's key one task is under way at a time, and whoever submits it has that one."""
    yield from _wrongs(seen, "singletons-are-single")
    keyed = {
        (handle.order.agent, handle.order.singleton, handle.task_id)
        for handle in seen.callers.handles
        if handle.order.singleton and not handle.order.key
    }
    for agent, key, task_id in keyed:
        begun = seen.world.history(task_id)
        others = (
            seen.world.history(other)
            for name, same, other in keyed
            if (name, same) == (agent, key) and other != task_id
        )
        if any(one.created_s < begun.created_s < one.ended_s for one in others):
            what = "it was made while another of its key was under way"
            yield Violation(invariant="singletons-are-single", task_id=task_id, what=what)


def a_task_keeps_its_version(seen: Observation) -> Iterator[Violation]:
    """Where versions are kept, a task is run by the code it began with, and fits it: no park."""
    yield from _wrongs(seen, "a-task-keeps-its-version")
    if not seen.world.fault_plan.keeps_versions:
        return
    for history, item in seen.histories():
        copied = "copied" in item  # what another code has recorded
        if history.parks and history.task_id in seen.world.versions and not copied:
            what = f"it was parked {history.parks} times"
            yield Violation(
                invariant="a-task-keeps-its-version", task_id=history.task_id, what=what
            )


def events_are_published_once(seen: Observation) -> Iterator[Violation]:
    """Each result of an agent that publishes is one task of each subscriber, with that result."""
    for history, item in seen.histories():
        record = TaskRecord.from_item(item)
        publishes = record.agent in PUBLISHERS and record.status is Status.COMPLETED
        what = ""
        for name in SUBSCRIBERS:
            event = event_task_id(result_event_id(history.task_id), name)
            found = seen.world.histories.get(event)
            heard = None if found is None else found.item
            if heard is None:
                what = f"{name} has no task of its result" if publishes else what
            elif not publishes:
                what = f"{name} has a task of it, and it is {record.status} of {record.agent}"
            elif record.result and heard.get("arguments") != record.result.inline:
                what = f"{name} was told {heard.get('arguments')}"
        if record.agent in SUBSCRIBERS:
            by = (record.published_by or "").partition("#")[2]
            if history.task_id != event_task_id(result_event_id(by or "0"), record.agent):
                what = f"it is another task of the result of {record.published_by}"
        if what:
            yield Violation(
                invariant="events-are-published-once", task_id=history.task_id, what=what
            )


def each_key_is_joined_once(seen: Observation) -> Iterator[Violation]:
    """Events of a key are one task, which has each that came before it ran, and waits its time for
    those that did not.
    """
    yield from _wrongs(seen, "each-key-is-joined-once")
    for history, item in seen.histories():
        record = TaskRecord.from_item(item)
        what = ""
        if record.agent in SUBSCRIBERS and record.status is Status.COMPLETED:
            key = loads(item["arguments"])["key"]
            found = seen.world.histories.get(join_task_id(record.principal, "joiner", key))
            what = "its result is in no join" if found is None or found.item is None else ""
        if record.agent == "joiner":
            what = _join_fault(seen, history, record)
        if what:
            yield Violation(invariant="each-key-is-joined-once", task_id=history.task_id, what=what)


def _join_fault(seen: Observation, history: History, record: TaskRecord) -> str:
    inline = record.arguments.inline if record.arguments else None
    key = loads(inline or "{}")["key"]
    if history.task_id != join_task_id(record.principal, record.agent, key):
        return f"it is another join of {key}"
    begun = min((run.started_s for run in history.executions), default=None)
    ends_s = (record.created_ms - EPOCH_MS) / 1000 + WITHIN_S
    if begun is not None and set(record.parts) != set(PARTS) and begun < ends_s - _SKEW_S:
        return (
            f"it ran at {begun:.0f} s with {sorted(record.parts)}, and its time ends {ends_s:.0f}"
        )
    if record.status is not Status.COMPLETED or record.result is None:
        return ""
    got = loads(record.result.inline or "{}")
    for name, agent in PARTS.items():
        event = event_task_id(result_event_id(key), agent)
        found = seen.world.histories.get(event)
        part = (None if found is None else found.item) or {}
        if (got[name] is None) != (name not in record.parts):
            return f"it has {sorted(record.parts)}, and it was given {got}"
        if got[name] is not None and got[name] != loads(part.get("result", "0")):
            return f"{name} was {got[name]}, and not {part.get('result')}"
    return ""


INVARIANTS: tuple[Invariant, ...] = (
    nothing_lost,
    result_written_once,
    one_live_execution,
    fenced,
    no_stuck,
    attempts_bounded,
    every_failure_has_a_letter,
    poison_is_put_aside,
    neighbours_unharmed,
    joins_fire_once,
    suspends_once,
    answers_stay,
    signals_arrive_once,
    events_are_published_once,
    each_key_is_joined_once,
    cancel_keeps_its_word,
    cancel_reaches_children,
    redriven_once,
    nothing_is_done_twice,
    steps_run_once,
    undone_in_reverse,
    results_are_right,
    history_is_complete,
    whatever_ran_is_listed,
    whoever_is_to_be_told_is_told,
    a_deploy_ends_no_task,
    limits_hold,
    deadlines_hold,
    singletons_are_single,
    a_task_keeps_its_version,
    paused_is_held_back,
    workers_raise_nothing,
)


def name_of(invariant: Invariant) -> str:
    """Return what an invariant is called in violations."""
    return invariant.__name__.replace("_", "-")


def _wrongs(seen: Observation, invariant: str) -> Iterator[Violation]:
    for history in seen.world.histories.values():
        for name, what in history.wrongs:
            if name == invariant:
                yield Violation(invariant=invariant, task_id=history.task_id, what=what)


def _task_of(body: str) -> str:
    try:
        return decode(body).id
    except PoisonMessage:
        return ""
