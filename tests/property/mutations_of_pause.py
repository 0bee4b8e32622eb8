"""Planted mistakes about paused tasks; `MUTATIONS` has them too once this is imported."""

from __future__ import annotations

from dataclasses import replace
from unittest.mock import patch

from mutations import changed_operation, mutation, without

import sqswarm.dispatcher.lifecycle.resume
import sqswarm.schemas.protocol.run
import sqswarm.workers.runtime.decide
from sqswarm.dispatcher.view import find
from sqswarm.schemas import protocol
from sqswarm.schemas.writes import Eq, Missing

_ALWAYS = Missing("nobody writes this")


@mutation(workload="pauses")
def paused_tasks_that_workers_take():
    with patch.object(sqswarm.schemas.protocol.run, "NOT_PAUSED", _ALWAYS):
        yield


@mutation(workload="pauses")
def paused_tasks_that_are_set_aside_under_the_old_version():
    with changed_operation("park_paused", lambda w: without(w, "v")):
        yield


@mutation(workload="pauses")
def paused_tasks_that_are_set_aside_from_under_their_worker():
    def unfenced(write):
        kept = (one for one in write.when if one.name not in {"v", "lease_until"})
        return replace(write, when=tuple(kept))

    standing = sqswarm.workers.runtime.decide.standing

    def stands(record, **given):
        if record.paused_now is not None and record.phase == "run":
            return sqswarm.workers.runtime.decide.Standing.PAUSED, 0
        return standing(record, **given)

    with (
        changed_operation("park_paused", unfenced),
        patch.object(sqswarm.workers.runtime.decide, "standing", stands),
    ):
        yield


@mutation(workload="pauses")
def tasks_set_aside_after_they_were_resumed():
    def unfenced(write):
        return replace(write, when=tuple(one for one in write.when if one.name != "paused"))

    with changed_operation("park_paused", unfenced):
        yield


@mutation(workload="pauses")
def a_resume_that_trusts_what_it_read():
    """The task was parked between the read and the write that takes its mark away."""

    async def resume(connection, task_id, *, agent=None):
        record = await find(connection, task_id, agent=agent)
        if record.paused_now is not None:
            await connection.store.write(protocol.unpause(record))
        if record.parked_now is not None:
            await sqswarm.dispatcher.lifecycle.resume.resume_parked(connection, [record])

    with patch("simulation.pausers.resume", resume):
        yield


@mutation(workload="pauses")
def ended_tasks_that_are_paused():
    def careless(write):
        return replace(write, when=tuple(one for one in write.when if isinstance(one, Eq)))

    with changed_operation("pause", careless):
        yield
