"""Planted mistakes about results that are events; `MUTATIONS` has them once this is imported."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from unittest.mock import patch

from mutations import mutation

import sqswarm.dispatcher.lifecycle.join
import sqswarm.dispatcher.lifecycle.publish_result
import sqswarm.dispatcher.lifecycle.sweep
import sqswarm.schemas.protocol
import sqswarm.workers.runtime.completion
import sqswarm.workers.runtime.join
from simulation.process import here
from sqswarm.dispatcher.lifecycle.completion import Completion
from sqswarm.dispatcher.lifecycle.publish_result import ResultEvent
from sqswarm.schemas.ids import created_ms, new_task_id
from sqswarm.schemas.protocol import wake
from sqswarm.schemas.protocol.join import add_part
from sqswarm.schemas.task import TaskRecord
from sqswarm.schemas.writes import Missing, Remove
from sqswarm.workers.runtime.acquire import Disposition


@mutation(workload="events")
def an_event_that_only_its_own_worker_publishes():
    with patch.object(ResultEvent, "of", lambda *_: None):
        yield


@mutation(workload="events")
def an_event_that_the_sweep_forgets():
    class Forgetful(Completion):
        @classmethod
        def of(cls, record, **_):
            return Completion.of(record)

    with patch.object(sqswarm.dispatcher.lifecycle.sweep, "Completion", Forgetful):
        yield


@mutation(workload="events")
def an_event_whose_failed_publish_is_forgotten():
    real = sqswarm.workers.runtime.completion._complete

    async def forgiving(*given):
        with suppress(Exception):
            await real(*given)

    with patch.object(sqswarm.workers.runtime.completion, "_complete", forgiving):
        yield


@mutation(workload="events")
def an_event_that_is_another_every_time():
    def fresh(task_id):
        return new_task_id(created_ms(task_id), here().world.entropy.getrandbits)

    with patch.object(sqswarm.dispatcher.lifecycle.publish_result, "result_event_id", fresh):
        yield


@mutation(workload="events")
def a_join_that_forgets_what_could_not_be_added():
    async def deleted(worker, job, failed):
        return Disposition.DELETE

    with patch.object(sqswarm.workers.runtime.join, "_disposition", deleted):
        yield


@mutation(workload="events")
def a_join_that_waits_for_one_event():
    with patch.object(TaskRecord, "is_complete", True):
        yield


@mutation(workload="events")
def a_join_that_takes_events_once_it_runs():
    def unguarded(key, **given):
        write = add_part(key, **given)
        return replace(write, when=tuple(one for one in write.when if isinstance(one, Missing)))

    with patch.object(sqswarm.dispatcher.lifecycle.join, "add_part", unguarded):
        yield


@mutation(workload="events")
def a_join_for_each_event():
    def each(principal, agent, key):
        return new_task_id(0, here().world.entropy.getrandbits)

    with patch.object(sqswarm.dispatcher.lifecycle.join, "join_task_id", each):
        yield


@mutation(workload="events")
def a_join_that_is_woken_without_the_sweep_entry():
    def unlisted(record, **given):
        write = wake(record, **given)
        changes = tuple(one for one in write.changes if one.name not in {"due_at", "due_shard"})
        return replace(write, changes=(*changes, Remove("due_at"), Remove("due_shard")))

    with patch.object(sqswarm.schemas.protocol, "wake", unlisted):
        yield
