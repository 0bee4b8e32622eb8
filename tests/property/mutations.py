"""Planted mistakes: each changes the real code as somebody might by accident."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from functools import partial
from unittest.mock import patch

import simulation.deployer
import sqswarm.dispatcher.lifecycle.completion
import sqswarm.dispatcher.lifecycle.redrive
import sqswarm.dispatcher.lifecycle.send
import sqswarm.dispatcher.lifecycle.sweep
import sqswarm.dispatcher.submit
import sqswarm.schemas.protocol.run
import sqswarm.workers.durable.journal
import sqswarm.workers.runtime.acquire
import sqswarm.workers.runtime.activity
import sqswarm.workers.runtime.batch
import sqswarm.workers.runtime.decide
import sqswarm.workers.runtime.settle
from simulation.ports import FaultyStore
from simulation.process import here
from sqswarm.backends.memory.store import _storable
from sqswarm.backends.ports.store import all_written
from sqswarm.dispatcher.lifecycle.dead_letter_sweep import DeadLetterSweeper
from sqswarm.dispatcher.lifecycle.sweep import Housekeeper, Sweep
from sqswarm.schemas import protocol
from sqswarm.schemas.activity import Ended
from sqswarm.schemas.agent_spec import AgentSpec
from sqswarm.schemas.errors import NotStorable, PoisonMessage
from sqswarm.schemas.ids import new_task_id
from sqswarm.schemas.message import Message
from sqswarm.schemas.signal import is_signal, signal_key
from sqswarm.schemas.task import TaskRecord
from sqswarm.schemas.writes import (
    Absent,
    Add,
    Eq,
    Has,
    Key,
    Le,
    Missing,
    Refused,
    Remove,
    Set,
    applied,
)
from sqswarm.workers.runtime.outcome import Broke, Failed, Misfitted

WORKING = Eq("status", "working")
MUTATIONS: dict[str, tuple[Callable[[], object], str | None]] = {}
"""By name: the mistake, and the weather that is aimed at it (None: any storm may find it)."""


def mutation(function=None, *, workload=None):
    """Register a planted mistake under its name."""
    if function is None:
        return partial(mutation, workload=workload)
    made = contextmanager(function)
    MUTATIONS[function.__name__.replace("_", " ")] = (made, workload)
    return made


@contextmanager
def changed_operation(name: str, change) -> Iterator[None]:
    """Let operation `name` return what `change` makes of its write."""
    real = getattr(protocol, name)

    def mutant(*args, **kwargs):
        return change(real(*args, **kwargs))

    with patch.object(protocol, name, mutant):
        yield


def without(write, *attributes):
    """Return a write that leaves some attributes as they are."""
    return replace(write, changes=tuple(c for c in write.changes if c.name not in attributes))


@mutation
def settle_without_the_attempt_fence():
    with changed_operation("settle", lambda w: replace(w, when=())):
        yield


@mutation(workload="zombies")
def settle_that_checks_status_only():
    with changed_operation("settle", lambda w: replace(w, when=(WORKING,))):
        yield


@mutation(workload="poison")
def a_batch_that_falls_with_one_message():
    """What is wrong with one message is raised, and not kept as its own."""
    real = sqswarm.workers.runtime.acquire._first_try

    def first_try(worker, job):
        tried = real(worker, job)
        if isinstance(tried, Exception):
            raise tried
        return tried

    with patch.object(sqswarm.workers.runtime.acquire, "_first_try", first_try):
        yield


@mutation(workload="poison")
def leases_that_are_lost_with_a_neighbour():
    """What fails after the acquire lets go of the leases that the batch has taken."""
    real = sqswarm.workers.runtime.batch.acquire

    async def acquire(worker, jobs):
        answers = await real(worker, jobs)
        if any(job.message.parent is not None for job in jobs):
            message = "a parent that nobody knows"
            raise KeyError(message)
        return answers

    with patch.object(sqswarm.workers.runtime.batch, "acquire", acquire):
        yield


@mutation(workload="poison")
def neighbours_that_wait_until_poison_is_put_aside():
    """One that cannot be read ends the batch's handling before the others have begun."""
    real = sqswarm.workers.runtime.batch.job_of

    def job_of(delivery, spec, *, token):
        try:
            return real(delivery, spec, token=token)
        except PoisonMessage as poison:
            raise RuntimeError from poison

    with patch.object(sqswarm.workers.runtime.batch, "job_of", job_of):
        yield


@mutation(workload="poison")
def claims_that_are_believed_without_a_record():
    with patch.object(Message, "unbacked", lambda self, *, payload_ref: None):
        yield


@mutation(workload="poison")
def writes_that_are_refused_together():
    """One item that no table can hold spoils the call for all of a batch."""

    async def write_each(self, writes):
        try:
            return await self.write_many(writes)
        except NotStorable as error:
            return [error] * len(writes)

    async def write_many(self, writes):
        for write in writes:  # as BatchExecuteStatement: none is carried out where one is refused
            _storable(applied(write, None))
        return all_written(await real(self, writes))

    real = FaultyStore.write_each
    with (
        patch.object(FaultyStore, "write_each", write_each),
        patch.object(FaultyStore, "write_many", write_many),
    ):
        yield


@mutation
def delete_before_settle():
    real = sqswarm.workers.runtime.batch.settle_runs

    async def settle_runs(worker, runs, **options):
        await worker.bus.delete(worker.queue, [run.job.delivery.receipt for run in runs])
        return await real(worker, runs, **options)

    with patch.object(sqswarm.workers.runtime.batch, "settle_runs", settle_runs):
        yield


@mutation
def retry_that_forgets_the_fence():
    with changed_operation("release", lambda w: replace(w, when=(WORKING,))):
        yield


@mutation(workload="zombies")
def retry_that_trusts_its_own_token():
    real = sqswarm.workers.runtime.decide.standing

    def standing(record, *, token, max_attempts, now_ms):
        if record.v == token and not record.status.terminal:
            return sqswarm.workers.runtime.decide.Standing.OURS, 0
        return real(record, token=token, max_attempts=max_attempts, now_ms=now_ms)

    with patch.object(sqswarm.workers.runtime.decide, "standing", standing):
        yield


@mutation
def lease_shorter_than_the_run():
    with patch.object(AgentSpec, "lease_s", property(lambda spec: spec.timeout_s // 5)):
        yield


@mutation
def fence_by_owner_without_a_fresh_version():
    with patch.object(sqswarm.workers.runtime.batch, "new_version", lambda bits: here().name):
        yield


@mutation(workload="give-ups")
def publish_before_create_and_drop_unknown_tasks():
    """The create is best effort, since the message is on its way already."""
    recorded, publish = sqswarm.dispatcher.submit._recorded, sqswarm.dispatcher.submit._publish

    async def publish_first(connection, drafts):
        await publish(connection, connection.catalogue.agent(drafts[0].message.name), drafts)
        with suppress(Exception):
            return await recorded(connection, drafts)
        return drafts

    async def published_already(connection, entry, drafts):
        pass

    async def decide(worker, job, outcome, asked_ms):
        if isinstance(outcome, Refused) and outcome.item is None and job.message.v is not None:
            return sqswarm.workers.runtime.acquire.Disposition.DELETE
        return await real(worker, job, outcome, asked_ms)

    real = sqswarm.workers.runtime.acquire._decide
    with (
        patch.object(sqswarm.dispatcher.submit, "_recorded", publish_first),
        patch.object(sqswarm.dispatcher.submit, "_publish", published_already),
        patch.object(sqswarm.workers.runtime.acquire, "_decide", decide),
    ):
        yield


@mutation
def create_without_the_sweep_entry():
    with changed_operation("create", lambda w: without(w, "due_at", "due_shard")):
        yield


@mutation(workload="give-ups")
def plan_without_the_sweep_entry():
    with changed_operation("plan", lambda w: without(w, "due_at", "due_shard")):
        yield


@mutation
def resume_without_the_sweep_entry():
    def gone(write):
        changes = (Remove("due_at"), Remove("due_shard"))
        left = without(write, "due_at", "due_shard")
        return replace(left, changes=(*left.changes, *changes))

    with changed_operation("fire", gone), changed_operation("wake", gone):
        yield


@mutation
def delete_while_another_lease_is_live():
    real = sqswarm.workers.runtime.decide.standing

    def standing(record, **given):
        found = real(record, **given)
        if found[0] is sqswarm.workers.runtime.decide.Standing.LEASED_BY_ANOTHER:
            return sqswarm.workers.runtime.decide.Standing.WAITING, 0
        return found

    with patch.object(sqswarm.workers.runtime.decide, "standing", standing):
        yield


@mutation(workload="people")
def due_dropped_while_effects_are_owed():
    def gone(write):
        changes = (Remove("due_at"), Remove("due_shard"))
        left = without(write, "due_at", "due_shard")
        return replace(left, changes=(*left.changes, *changes))

    with (
        changed_operation("settle", gone),
        changed_operation("cancel", gone),
        changed_operation("fail_exhausted", gone),
    ):
        yield


@mutation
def no_housekeeping():
    async def sweep(self):
        return Sweep()

    with patch.object(Housekeeper, "sweep", sweep):
        yield


@mutation
def no_dead_letter_handling():
    async def sweep(self):
        return {}

    with patch.object(DeadLetterSweeper, "sweep", sweep):
        yield


@mutation(workload="resumes")
def fire_that_keeps_the_old_version():
    with changed_operation("fire", lambda w: without(w, "v")):
        yield


@mutation(workload="resumes")
def wake_that_keeps_the_old_version():
    with changed_operation("wake", lambda w: without(w, "v")):
        yield


@mutation(workload="resumes")
def answer_that_keeps_the_old_version():
    with changed_operation("answer", lambda w: without(w, "v")):
        yield


@mutation
def join_by_plain_counter():
    """Children are counted down, whoever they are; at zero the join may fire."""
    from_item = TaskRecord.from_item.__func__

    def plan(write):
        size = next(len(c.value) for c in write.changes if c.name == "pending")
        return replace(write, changes=(*write.changes, Set("left", size)))

    def count(task_id, numbers):
        write = real_count(task_id, numbers)
        when = tuple(c for c in write.when if not isinstance(c, Has))
        return replace(write, when=when, changes=(Add("left", -len(numbers)),))

    def fire(write):
        when = tuple(Le("left", 0) if isinstance(c, Missing) else c for c in write.when)
        return replace(write, when=when, changes=(*write.changes, Remove("pending")))

    def record_of(cls, item):
        record = from_item(cls, item)
        return replace(record, pending=frozenset()) if item.get("left", 1) <= 0 else record

    real_count = protocol.count
    with (
        changed_operation("plan", plan),
        changed_operation("fire", fire),
        patch.object(protocol, "count", count),
        patch.object(TaskRecord, "from_item", classmethod(record_of)),
    ):
        yield


@mutation(workload="zombies")
def step_without_the_fence():
    with changed_operation("fence", lambda w: replace(w, when=(Eq("sk", "task"),))):
        yield


@mutation
def acquire_that_makes_a_record_over_a_tombstone():
    with changed_operation(
        "acquire_new",
        lambda w: replace(w, when=()) if w.when == (Absent(),) else w,
    ):
        yield


@mutation
def failure_without_a_letter():
    async def put_failed_aside(worker, ended):
        pass

    with patch.object(sqswarm.workers.runtime.completion, "_put_failed_aside", put_failed_aside):
        yield


@mutation(workload="zombies")
def renew_without_the_fence():
    with changed_operation("renew", lambda w: replace(w, when=(WORKING,))):
        yield


@mutation
def heartbeat_that_does_not_renew():
    """The answer says that the lease is longer; the table does not."""
    with changed_operation("renew", lambda w: without(w, "lease_until")):
        yield


@mutation
def steps_that_are_not_replayed():
    real = sqswarm.workers.durable.journal.read_past

    async def read_past(worker, lease):
        found = await real(worker, lease)
        return {name: past for name, past in found.items() if not name.startswith("step ")}

    with patch.object(sqswarm.workers.durable.journal, "read_past", read_past):
        yield


@mutation(workload="resumes")
def answers_that_overwrite_each_other():
    """Two people answer two questions at the same time, each from what they read."""
    with changed_operation("answer", lambda w: replace(w, when=(Eq("status", "input_required"),))):
        yield


@mutation(workload="people")
def redrive_that_makes_a_new_task_every_time():
    def derived(origin, key, *, at_ms):
        return new_task_id(at_ms, secrets.randbits)

    redriving = sqswarm.dispatcher.lifecycle.redrive
    with (
        patch.object(redriving, "derive_task_id", derived),
        changed_operation("link_redriven", lambda w: replace(w, when=w.when[:1])),
    ):
        yield


@mutation(workload="people")
def redrive_that_leaves_a_step_behind():
    real = sqswarm.dispatcher.lifecycle.redrive.write_copy

    async def write_copy(connection, copy, new):
        return await real(connection, replace(copy, steps=copy.steps[1:]), new)

    with patch.object(sqswarm.dispatcher.lifecycle.redrive, "write_copy", write_copy):
        yield


@mutation(workload="people")
def redrive_that_starts_children_again():
    real = sqswarm.dispatcher.lifecycle.redrive.write_copy

    async def write_copy(connection, copy, new):
        waits = [one for one in copy.waits if one["kind"] != "children"]
        return await real(connection, replace(copy, waits=waits), new)

    with patch.object(sqswarm.dispatcher.lifecycle.redrive, "write_copy", write_copy):
        yield


@mutation(workload="people")
def redrive_that_links_after_it_made_the_task():
    """Two who redrive it otherwise each make a task of it."""

    async def transact(store, writes):
        if [write.key.sk for write in writes] == ["task", "task"]:
            return [await store.write(write) for write in writes]
        return await real(store, writes)

    real = FaultyStore.transact
    with patch.object(FaultyStore, "transact", transact):
        yield


@mutation(workload="people")
def cancel_that_forgets_the_children():
    async def cancel_children(connection, parent):
        pass

    with patch.object(sqswarm.dispatcher.lifecycle.completion, "cancel_children", cancel_children):
        yield


@mutation(workload="people")
def cancel_without_a_tombstone():
    """Nothing is left where an acquire would find it."""
    with changed_operation(
        "cancel_unrecorded", lambda w: replace(w, key=Key(pk="task#grave#x", sk="x"))
    ):
        yield


@mutation
def release_that_enters_nothing():
    with changed_operation("release", lambda w: without(w, "history", "began")):
        yield


@mutation
def settle_that_enters_nothing():
    with changed_operation("settle", lambda w: without(w, "history", "began")):
        yield


@mutation(workload="resumes")
def a_wait_that_enters_nothing():
    with changed_operation("sleep", lambda w: without(w, "history", "began")):
        yield


@mutation
def a_lost_attempt_that_is_forgotten():
    with changed_operation("acquire", lambda w: without(w, "history")):
        yield


@mutation
def acquire_that_asks_for_no_end_of_the_attempt_before():
    def unasked(write):
        return replace(write, when=tuple(c for c in write.when if c != Eq("lease_until", 0)))

    with changed_operation("acquire", unasked):
        yield


@mutation
def history_that_begins_anew_with_each_attempt():
    real = sqswarm.schemas.protocol.run.with_attempt

    def with_attempt(record, began, **given):
        return real(record and replace(record, history=None), began, **given)

    with patch.object(sqswarm.schemas.protocol.run, "with_attempt", with_attempt):
        yield


@mutation(workload="resumes")
def resume_that_does_not_say_when():
    with (
        changed_operation("fire", lambda w: without(w, "resumed")),
        changed_operation("wake", lambda w: without(w, "resumed")),
        changed_operation("answer", lambda w: without(w, "resumed")),
    ):
        yield


@mutation
def activity_that_tells_of_ends_only():
    """A task whose end was told of by nobody is in no list."""

    async def write_with_activity(worker, writes, entries, **options):
        told = [entry for entry in entries if isinstance(entry, Ended)]
        worker.activity.__init__()
        return await real(worker, writes, told, **options)

    real = sqswarm.workers.runtime.activity.write_with_activity
    with (
        patch.object(sqswarm.workers.runtime.acquire, "write_with_activity", write_with_activity),
        patch.object(sqswarm.workers.runtime.settle, "write_with_activity", write_with_activity),
    ):
        yield


@mutation
def an_attempt_that_ends_when_it_began():
    real = sqswarm.workers.runtime.batch.Run

    def run(**given):
        began_ms = int(given["lease"].began.split(" ")[0])
        return real(**{**given, "ended_ms": began_ms})

    with patch.object(sqswarm.workers.runtime.batch, "Run", run):
        yield


@mutation
def no_activity():
    async def write_with_activity(worker, writes, entries, **options):
        return await worker.store.write_each(writes)

    with (
        patch.object(sqswarm.workers.runtime.acquire, "write_with_activity", write_with_activity),
        patch.object(sqswarm.workers.runtime.settle, "write_with_activity", write_with_activity),
    ):
        yield


@mutation
def a_task_that_its_workers_lost_is_not_listed():
    with changed_operation("fail_exhausted", lambda w: without(w, "listed", "listed_at")):
        yield


@mutation(workload="people")
def an_answered_question_stays_listed():
    with changed_operation("answer", lambda w: without(w, "listed", "listed_at")):
        yield


@mutation(workload="deploys")
def code_that_does_not_fit_ends_its_task():
    """What today's workers did before: NonDeterministic is a failure like any other."""
    real = sqswarm.workers.runtime.batch.decide

    def decide(outcome, **given):
        if isinstance(outcome, Misfitted):
            outcome = Failed(error_type="NonDeterministic", message=outcome.misfit.why)
        return real(outcome, **given)

    with patch.object(sqswarm.workers.runtime.batch, "decide", decide):
        yield


@mutation(workload="deploys")
def code_that_does_not_fit_is_tried_again():
    real = sqswarm.workers.runtime.batch.decide

    def decide(outcome, **given):
        if isinstance(outcome, Misfitted):
            outcome = Broke(error_type="NonDeterministic", message=outcome.misfit.why)
        return real(outcome, **given)

    with patch.object(sqswarm.workers.runtime.batch, "decide", decide):
        yield


@mutation(workload="deploys")
def park_that_uses_up_an_attempt():
    with changed_operation("park", lambda w: without(w, "attempt")):
        yield


@mutation(workload="deploys")
def park_that_is_not_listed():
    with changed_operation("park", lambda w: without(w, "listed", "listed_at")):
        yield


@mutation(workload="deploys")
def park_without_the_fence():
    with changed_operation("park", lambda w: replace(w, when=(WORKING,))):
        yield


@mutation(workload="deploys")
def parked_tasks_that_workers_take():
    """A parked task is acquired like one that is free."""
    real = sqswarm.schemas.protocol.run.AWAKE
    awake = tuple(one for one in real if one.value != "parked")
    standing = sqswarm.workers.runtime.decide.standing

    def stands(record, **given):
        if record.parked_now is not None:
            record = replace(record, phase="run")
        return standing(record, **given)

    with (
        patch.object(sqswarm.schemas.protocol.run, "AWAKE", awake),
        patch.object(sqswarm.workers.runtime.decide, "standing", stands),
    ):
        yield


@mutation(workload="deploys")
def resume_that_stays_listed():
    with changed_operation("resume", lambda w: without(w, "listed", "listed_at")):
        yield


@mutation(workload="deploys")
def a_parked_task_resumed_without_the_sweep_entry():
    with changed_operation("resume", lambda w: without(w, "due_at", "due_shard")):
        yield


@mutation(workload="deploys")
def a_deployment_that_wakes_nothing():
    async def nothing(*args, **given):
        return
        yield

    with patch.object(simulation.deployer, "resume_all", nothing):
        yield


@mutation(workload="deploys")
def no_second_look_at_what_was_parked_late():
    """What a worker of the code before parks after the walk has met nothing else."""
    with patch.object(
        sqswarm.dispatcher.lifecycle.sweep, "is_worth_another_try", lambda **_: False
    ):
        yield


@mutation(workload="deploys")
def looks_at_parked_tasks_without_end():
    with patch.object(sqswarm.dispatcher.lifecycle.sweep, "is_worth_another_try", lambda **_: True):
        yield


@mutation(workload="signals")
def a_wait_that_overlooks_what_was_sent_meanwhile():
    """A value that comes between the run's look and its wait wakes nobody."""

    def overlooks(write):
        when = (c for c in write.when if getattr(c, "name", "") != "given")
        return replace(write, when=tuple(when))

    with changed_operation("ask", overlooks):
        yield


@mutation(workload="signals")
def a_signal_over_another_of_the_same_time():
    def overlooks(write):
        when = (c for c in write.when if getattr(c, "name", "") != "given")
        return replace(write, when=tuple(when))

    with changed_operation("answer", overlooks):
        yield


@mutation(workload="signals")
def a_signal_that_is_sent_twice_where_nobody_said_thanks():
    with patch.object(sqswarm.dispatcher.lifecycle.send, "_sent", lambda *_: None):
        yield


@mutation(workload="signals")
def a_signal_whose_place_is_the_last():
    """The newest value of a topic is put before the others."""
    real = sqswarm.dispatcher.lifecycle.send.free_key

    def free_key(answers, topic):
        free = real(answers, topic)
        return free if signal_key(f"{topic}#3") in answers else signal_key(f"{topic}#3")

    with patch.object(sqswarm.dispatcher.lifecycle.send, "free_key", free_key):
        yield


@mutation(workload="signals")
def a_signal_that_wakes_nobody():
    """It is kept, and the task waits on."""
    real = protocol.answer

    def answer(record, answers, **given):
        if any(map(is_signal, answers)) and any("id" in one for one in answers.values()):
            record = replace(record, asks={}, receives={})
        write = real(record, answers, **given)
        return replace(write, when=tuple(c for c in write.when if c != Missing("open")))

    with patch.object(protocol, "answer", answer):
        yield


@mutation(workload="signals")
def a_run_that_goes_on_with_what_came_without_the_sweep_entry():
    def changed(write):
        changes = without(write, "due_at", "due_shard").changes
        return replace(write, changes=(*changes, Remove("due_at"), Remove("due_shard")))

    with changed_operation("receive", changed):
        yield


@mutation(workload="signals")
def a_task_that_receives_and_that_workers_take():
    """What waits for a signal is acquired like one that is free."""
    standing = sqswarm.workers.runtime.decide.standing

    def stands(record, **given):
        if record.phase == "receiving":
            record = replace(record, phase="run")
        return standing(record, **given)

    real = sqswarm.schemas.protocol.run.AWAKE
    awake = tuple(one for one in real if one.value != "receiving")
    with (
        patch.object(sqswarm.schemas.protocol.run, "AWAKE", awake),
        patch.object(sqswarm.workers.runtime.decide, "standing", stands),
    ):
        yield
