"""The world of one storm: a table, queues, processes that come and go, and what was seen."""

from __future__ import annotations

import random
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any

from simulation.event_agents import EVERYBODY, agents_of
from simulation.fault_plan import Aim, FaultPlan, Misfortune
from simulation.history import Execution, History
from simulation.loop import VirtualLoop
from simulation.naming import kind_of
from simulation.process import EPOCH_MS, Process, here
from simulation.watched import WatchedBus, WatchedStore
from sqswarm import TaskContext
from sqswarm.backends.memory.blobs import MemoryBlobs
from sqswarm.schemas.catalogue import CATALOGUE_KEY, Catalogue
from sqswarm.schemas.join import join_task_id
from sqswarm.schemas.journal import child_id, plan_entry
from sqswarm.schemas.lifecycle import Phase, Status
from sqswarm.schemas.message import decode
from sqswarm.schemas.naming import TASKS_TOPIC, Names
from sqswarm.schemas.protocol import step_key
from sqswarm.schemas.protocol.singleton import SINGLETON_SORT_KEY
from sqswarm.schemas.task import TASK_SORT_KEY, task_key, task_of
from sqswarm.schemas.writes import Item, Key, Write

NAMES = Names(stage="storm", account="000000000000", region="us-east-1")
TOLD = "arn:aws:sns:us-east-1:000000000000:told-of-all"
NAMED = "arn:aws:sqs:us-east-1:000000000000:told-of-some"


@cache
def _catalogue(names: tuple[str, ...], *, told: bool) -> Catalogue:
    made = Catalogue.of(EVERYBODY[name].spec for name in names)
    if not told:
        return made
    of_all = {name: replace(one, notify=(TOLD,)) for name, one in made.agents.items()}
    return replace(made, notify=(NAMED,), agents=of_all)


_A_MOMENT_MS = 100
_SETTLING_S = 120.0
_STILL_OLD = 0.3
"""How long after a deployment a process may begin with the code before it, and how likely."""

Note = tuple[float, str, str, str, Any]
"""Virtual seconds, actor, what, task ids, detail."""


class Watcher:
    """What the world tells its actors."""

    def queue_changed(self, queue: str) -> None:
        """A message of `queue` came, or may be seen at another time."""

    def due_at(self, due_at_ms: int) -> None:
        """A task stands in the sweep index."""

    def asked(self, task_id: str) -> None:
        """A task asks people something."""

    def recorded(self, task_id: str) -> None:
        """A task that works has a record."""

    def process_ended(self, process: Process) -> None:
        """A process died."""


class World:
    """Everything there is while a storm lasts."""

    def __init__(self, fault_plan: FaultPlan) -> None:
        """Set up the stage; nothing moves yet."""
        self.fault_plan = fault_plan
        self.chance = random.Random(f"world {fault_plan.seed}")
        self.entropy = random.Random(f"ids {fault_plan.seed}")
        self.loop = VirtualLoop()  # type: ignore[abstract] # it reaches nothing outside
        self._misfortunes = {one.at: one for one in fault_plan.misfortunes}
        self._aims = {(one.on, one.nth): one for one in fault_plan.aims}
        self._aimed_at = dict.fromkeys((one.on for one in fault_plan.aims), 0)
        self.watcher = Watcher()
        self.trace: list[Note] = []
        self.histories: dict[str, History] = {}
        self.wrongs: list[tuple[str, str]] = []
        self.processes: dict[Process, None] = {}
        self.over = False
        self.writer: Process | None = None
        """Whose request is being carried out."""
        self._requests = 0
        self.code = self._code_before = 0
        self.agents = agents_of(fault_plan)
        self.catalogue = _catalogue(tuple(self.agents), told=fault_plan.told)
        self.deployments = 0
        self.versions: dict[str, int] = {}
        """Where versions are kept: the code that a task was first run by."""
        self._sharing: dict[tuple[str, str], dict[str, None]] = {}
        self.most_beside = 0
        """Most runs at one time that shared slots."""
        self._settled_s = 0.0
        self.store = WatchedStore(self)
        self.bus = WatchedBus(self)
        self.blobs = MemoryBlobs()
        self.blobs.objects[self.blobs.address(CATALOGUE_KEY)] = self.catalogue.dump().encode()
        for one in self.agents.values():
            spec = one.spec
            dead, queue = NAMES.dead_letter_queue(spec.name), NAMES.queue(spec.name)
            self.bus.make_queue(dead)
            self.bus.make_queue(
                queue,
                visibility_s=spec.visibility_s,
                dead_letters_to=dead,
                max_receives=fault_plan.receives or spec.max_receive_count,
            )
            self.bus.subscribe(NAMES.topic(TASKS_TOPIC), queue, {"agent": [spec.name]})
            for subscription in spec.subscriptions:
                self.bus.subscribe(NAMES.topic(subscription.topic), queue)

    # Deployments

    def deploy(self, code: int, *, at_ms: int, without: str = "") -> None:
        """Let processes that begin from now on run another code; some the old one, for a while.

        An agent that comes or goes has a queue with nothing in it.
        """
        self.deployments += 1
        self._code_before, self.code = self.code, code
        self._settled_s = self.loop.now + _SETTLING_S
        whole = _catalogue(tuple(self.agents), told=self.fault_plan.told)
        kept = {name: entry for name, entry in whole.agents.items() if name != without}
        changed = kept.keys() ^ self.catalogue.agents.keys()
        self.catalogue = replace(whole, agents=kept, deployed_ms=at_ms)
        for name in changed:
            self.bus.empty(NAMES.queue(name))
        self.blobs.objects[self.blobs.address(CATALOGUE_KEY)] = self.catalogue.dump().encode()

    def code_now(self) -> int:
        """Return the code that a process which begins now runs."""
        late = self.loop.now < self._settled_s and self.chance.random() < _STILL_OLD
        return self._code_before if late else self.code

    # Time and chance

    def now_ms(self) -> int:
        """Return the true time (Unix epoch, milliseconds)."""
        return EPOCH_MS + round(1000 * self.loop.now)

    def latency(self) -> float:
        """Return how many seconds one way of a request takes."""
        return 0.001 + 0.03 * self.chance.random()

    def next_request(self, name: str) -> tuple[int, Misfortune | Aim | None]:
        """Return the number of a request that begins, and what goes wrong with it."""
        number = self._requests
        self._requests += 1
        misfortune: Misfortune | Aim | None = self._misfortunes.get(number)
        for on, nth in self._aimed_at.items():
            if name.startswith(on):
                self._aimed_at[on] = nth + 1
                misfortune = self._aims.get((on, nth), misfortune)
        return number, misfortune

    # What is seen

    def note(self, process: Process | None, what: str, task_ids: str, detail: Any) -> None:
        """Keep one line of the story."""
        actor = "-" if process is None else process.name
        self.trace.append((self.loop.now, actor, what, task_ids, detail))

    def history(self, task_id: str) -> History:
        """Return what was seen of a task."""
        found = self.histories.get(task_id)
        if found is None:
            found = self.histories[task_id] = History(task_id=task_id)
        return found

    def changed(self, write: Write, before: Item | None, after: Item) -> None:
        """Look at one write that was carried out."""
        if write.key.sk != TASK_SORT_KEY:
            self._follows(write, before, after)
            history = self.histories.get(write.key.pk.rpartition("#")[2])
            if history is not None and history.item is not None and self.writer is not None:
                history.fenced(self.writer, kind_of(write), history.item)
            if history is not None and "undone" in after and "undone" not in (before or {}):
                history.undone.append(after["undo"])
            return
        history = self.history(task_of(write.key)[1])
        if before is not None and self.writer is not None:
            history.fenced(self.writer, kind_of(write), before)
        kind = kind_of(write)
        if kind == "release" and all(change.name != "status_message" for change in write.changes):
            kind = "hand back"
        history.held_back(kind, before or {})
        history.leased(self.writer, kind, before, after)
        history.changed(before, after, at_s=self.loop.now)
        self._tell(history.task_id, before, after)
        if before is None or before["phase"] != Phase.WAITING:
            return
        if after["phase"] == Phase.CHILDREN_DONE:
            self._joined(history, before)
        cancelled = after["status"] == Status.CANCELLED and before["status"] != Status.CANCELLED
        if cancelled or ("undo" in after and "undo" not in before):
            history.orphans = (self.loop.now, tuple(_pending(history.task_id, before)))

    def _tell(self, task_id: str, before: Item | None, after: Item) -> None:
        """Tell the actors what a write has brought about."""
        if before is None and after["status"] == Status.WORKING:
            self.watcher.recorded(task_id)
        due_at = after.get("due_at")
        if due_at is not None and (before is None or before.get("due_at") != due_at):
            self.watcher.due_at(due_at)
        if after["status"] == Status.INPUT_REQUIRED and (
            before is None or before["status"] != Status.INPUT_REQUIRED
        ):
            self.watcher.asked(task_id)

    def _joined(self, history: History, before: Item) -> None:
        plan = plan_entry(before.get("waits"))
        for child in plan.get("children", []) if plan else []:
            key = task_key(child["agent"], child_id(history.task_id, child["key"]))
            item = self.store.items.get(key)
            if item is None or not Status(item["status"]).terminal:
                history.wrong("joins-fire-once", f"fired while child {child['key']} had not ended")

    def message_deleted(self, queue: str, body: str) -> None:
        """Look at an event that is deleted where it is joined: it is in its join by then."""
        if queue != NAMES.queue("joiner"):
            return
        message = decode(body)
        if message.topic is None:
            return
        key = join_task_id(message.principal, "joiner", (message.arguments or {})["key"])
        item = self.store.items.get(task_key("joiner", key))
        collects = item is None or item["phase"] == Phase.SLEEPING
        if collects and item is not None and item["status"] == "working":
            collects = f"part_{message.topic}" not in item
        elif item is not None:
            collects = False
        if collects:
            what = f"an event of {message.topic} was deleted before it was in its join"
            self.history(key).wrong("each-key-is-joined-once", what)

    def queue_changed(self, queue: str) -> None:
        """Tell the actors of a queue's change."""
        self.watcher.queue_changed(queue)

    def ended(self, process: Process) -> None:
        """Note that a process died, and what it was running."""
        for history in self.histories.values():
            for run in history.executions:
                if run.process is process and run.ended_s is None:
                    run.ended_s, run.how = self.loop.now, "died"
        self.watcher.process_ended(process)

    @contextmanager
    def execution(self, ctx: TaskContext) -> Iterator[None]:
        """Watch one call of an agent's function."""
        process = here()
        process.check()
        history = self.history(ctx.task_id)
        journal = ctx.journal
        run = Execution(
            process=process,
            attempt=ctx.attempt,
            token=None if journal is None else journal.lease.v,
            started_s=self.loop.now,
            undoes=journal is not None and journal.undo is not None,
        )
        if journal is not None:  # lean mode keeps no lease
            history.began(run, now_ms=self.now_ms())
            self._within_limit(ctx, run)
            self._in_time(ctx, run)
        history.executions.append(run)
        self.note(process, "run.began", ctx.task_id, f"attempt {ctx.attempt}")
        try:
            yield
            how = "returned"
        except Exception as error:
            how = type(error).__name__
            raise
        except BaseException:
            how = "cancelled"
            raise
        finally:
            if run.ended_s is None:
                run.ended_s, run.how = self.loop.now, how
                self.note(process, "run.ended", ctx.task_id, how)

    def _follows(self, write: Write, before: Item | None, after: Item) -> None:
        """Look at what takes the place of the one task of a key, if that is what a write does."""
        if write.key.sk != SINGLETON_SORT_KEY or before is None:
            return
        old_id, new_id = before["task"], after["task"]
        status = self.history(old_id).status
        if old_id != new_id and (status is None or not status.terminal):
            what = f"it was made while {old_id} of its key was under way"
            self.history(new_id).wrong("singletons-are-single", what)

    def _within_limit(self, ctx: TaskContext, run: Execution) -> None:
        """Look at what runs already of those that a run which begins shares slots with."""
        limit = ctx.worker.spec.limit
        item = self.store.items.get(task_key(ctx.worker.spec.name, ctx.task_id))
        if limit is None or item is None or (run.undoes and "deadline" in item):
            return  # an undo after its task's deadline is held back by nothing
        shared = (ctx.worker.spec.name, item["arguments"] if limit.per else "")
        beside = self._sharing.setdefault(shared, {})
        beside[ctx.task_id] = None
        alive = [
            f"{other.process.name} {task_id}"
            for task_id in beside
            for other in (*self.history(task_id).executions, *[run] * (task_id == ctx.task_id))
            if other.ended_s is None and other.process.honest(task_id)
        ]
        self.most_beside = max(self.most_beside, len(alive))
        if len(alive) > limit.count:
            what = f"{', '.join(alive)} run at one time, and {limit.count} may"
            self.history(ctx.task_id).wrong("limits-hold", what)

    def _in_time(self, ctx: TaskContext, run: Execution) -> None:
        """Look at whether a run which begins still may: an undo always does."""
        item = self.store.items.get(task_key(ctx.worker.spec.name, ctx.task_id))
        if item is None or "deadline" not in item or run.undoes:
            return
        over_ms = (
            self.now_ms()
            + run.process.skew_ms
            - round(1000 * datetime.fromisoformat(item["deadline"]).timestamp())
        )
        if over_ms > _A_MOMENT_MS and run.process.honest(ctx.task_id):
            self.history(ctx.task_id).wrong("deadlines-hold", f"it began {over_ms} ms too late")

    def ran_step(self, ctx: TaskContext, number: int) -> None:
        """Note that a step's work is done, by a run that may or may not hold the task."""
        journal = ctx.journal
        if journal is None or here().dead:
            return
        item = self.store.items.get(journal.lease.key)
        held = item is not None and item["v"] == journal.lease.v and item["status"] == "working"
        if held:
            self.history(ctx.task_id).worked.add(f"work{number}#0")
        if held and step_key(journal.lease.key, f"work{number}#0") in self.store.items:
            self.history(ctx.task_id).wrong("steps-run-once", f"step {number} ran after its record")

    def undoing(self, ctx: TaskContext, number: int, outcome: str) -> None:
        """Look at the undo of a piece that begins, by a run that may or may not hold the task."""
        journal, history = ctx.journal, self.history(ctx.task_id)
        if journal is None or here().dead:
            return
        item = self.store.items.get(journal.lease.key)
        if item is None or item["v"] != journal.lease.v or item["status"] != "working":
            return
        step = self.store.items.get(step_key(journal.lease.key, f"work{number}#0"), {})
        what = ""
        if "undo" not in item:
            what = "was undone while its task went on"
        elif outcome != "undo" or "undo" not in step:
            what = "was undone and is not recorded"
        elif "undone" in step:
            what = "was undone after that was recorded"
        elif self.not_undone(journal.lease.key)[0] != f"work{number}":
            what = "was undone before one that came after it"
        if what:
            history.wrong("undone-in-reverse", f"step {number} {what}")

    def not_undone(self, task: Key) -> list[str]:
        """Return the steps of a task that have an undo and are not undone, the last first."""
        found = [
            (-item["undo"], key.sk.removeprefix("step#").partition("#")[0])
            for key, item in self.store.items.items()
            if key.pk == task.pk and "undo" in item and key != task and "undone" not in item
        ]
        return [name for _, name in sorted(found)]

    def close(self) -> None:
        """End whatever is left, so that nothing of this storm outlives it."""
        self.over = True
        for process in [*self.processes]:
            process.kill("the end")
        self.loop.forget_timers()
        self.loop.run(until_s=self.loop.now + 60, turns=self.loop.turns + 10_000)


def _pending(task_id: str, item: Item) -> Iterator[str]:
    """Yield the ids of the children that a waiting task still waits for."""
    plan = plan_entry(item.get("waits"))
    for number, child in enumerate(plan["children"], plan["first"]) if plan else ():
        if number in item.get("pending", ()):
            yield child_id(task_id, child["key"])
