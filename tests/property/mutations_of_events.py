"""Planted mistakes about results that are events; `MUTATIONS` has them once this is imported."""

from __future__ import annotations

from contextlib import suppress
from unittest.mock import patch

from mutations import mutation

import sqswarm.dispatcher.lifecycle.publish_result
import sqswarm.dispatcher.lifecycle.sweep
import sqswarm.workers.runtime.completion
from simulation.process import here
from sqswarm.dispatcher.lifecycle.completion import Completion
from sqswarm.dispatcher.lifecycle.publish_result import ResultEvent
from sqswarm.schemas.ids import created_ms, new_task_id


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
