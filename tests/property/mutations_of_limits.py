"""Planted mistakes about limits; `MUTATIONS` has them too once this is imported."""

from __future__ import annotations

from dataclasses import replace
from unittest.mock import patch

from mutations import mutation

import sqswarm.workers.runtime.batch
import sqswarm.workers.runtime.limit

_LIMIT = sqswarm.workers.runtime.limit


def _changed_take(change):
    real = _LIMIT.take

    def take(*args, **given):
        write, slots = real(*args, **given)
        return write and change(write), slots

    return patch.object(_LIMIT, "take", take)


@mutation(workload="limits")
def slots_that_are_taken_without_a_look_at_other_takes():
    with _changed_take(lambda write: replace(write, when=())):
        yield


@mutation(workload="limits")
def slots_that_are_not_renewed_with_the_lease():
    real = sqswarm.workers.runtime.batch.heartbeat

    async def heartbeat(worker, lease, work, *, stopping, slot=None):
        return await real(worker, lease, work, stopping=stopping)

    with patch.object(sqswarm.workers.runtime.batch, "heartbeat", heartbeat):
        yield


@mutation(workload="limits")
def slots_that_are_shorter_than_a_run():
    real = _LIMIT.take

    def take(*args, until_ms, now_ms, **given):
        until_ms = now_ms + 6000
        return real(*args, until_ms=until_ms, now_ms=now_ms, **given)

    with patch.object(_LIMIT, "take", take):
        yield


@mutation(workload="limits")
def slots_that_are_given_back_before_the_run():
    real = sqswarm.workers.runtime.batch.Runtime._run

    async def run(self, job, lease, ends, hooks):
        await self._give_back([job])
        return await real(self, job, lease, ends, hooks)

    with patch.object(sqswarm.workers.runtime.batch.Runtime, "_run", run):
        yield
