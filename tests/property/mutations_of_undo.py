"""Planted mistakes about undo; `MUTATIONS` has them too once this is imported."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from unittest.mock import patch

from mutations import changed_operation, mutation, without

import sqswarm.dispatcher.lifecycle.cancel
import sqswarm.dispatcher.lifecycle.completion
import sqswarm.dispatcher.lifecycle.sweep
import sqswarm.dispatcher.lifecycle.undo
import sqswarm.schemas.protocol.end
import sqswarm.workers.runtime.batch
import sqswarm.workers.runtime.undo
from sqswarm.schemas.task import TaskRecord
from sqswarm.schemas.writes import Missing, Set
from sqswarm.workers.durable.undo import Undo
from sqswarm.workers.runtime.decide import BeginUndo, GiveUp, decide

_ALWAYS = Missing("nobody writes this")


def _unguarded():
    return patch.object(sqswarm.schemas.protocol.end, "NOT_UNDOABLE", _ALWAYS)


@mutation(workload="undoing")
def failures_that_undo_nothing():
    def decided(outcome, **given):
        decision = decide(outcome, **given)
        return GiveUp(error=decision.error) if isinstance(decision, BeginUndo) else decision

    with _unguarded(), patch.object(sqswarm.workers.runtime.batch, "decide", decided):
        yield


@mutation(workload="undoing")
def cancels_that_undo_nothing():
    with ExitStack() as stack:
        stack.enter_context(_unguarded())
        lifecycle = sqswarm.dispatcher.lifecycle
        for module in (lifecycle.cancel, lifecycle.completion):
            stack.enter_context(patch.object(module, "is_undone_first", lambda _: False))
        yield


@mutation(workload="undoing")
def lost_tasks_that_undo_nothing():
    with (
        _unguarded(),
        patch.object(sqswarm.dispatcher.lifecycle.sweep, "is_undone_first", lambda _: False),
        patch.object(sqswarm.dispatcher.lifecycle.undo, "is_undone_first", lambda _: False),
    ):
        yield


@mutation(workload="undoing")
def undo_of_the_first_step_first():
    def first(self):
        met = (self._met[name] for name in self.left)
        return min(met, key=lambda one: one.number, default=None)

    with patch.object(Undo, "last", first):
        yield


@mutation(workload="undoing")
def undo_that_is_not_recorded():
    with changed_operation("record_undone", lambda ws: (ws[0], without(ws[1], "undone"))):
        yield


@mutation(workload="undoing")
def undo_beside_what_is_still_being_done():
    """The lease of the attempt that was cut off is given away before that has ended."""

    def given_away(write):
        changes = tuple(
            Set("lease_until", 0) if change.name == "lease_until" else change
            for change in write.changes
        )
        return replace(write, changes=changes)

    with changed_operation("begin_undo_cancelled", given_away):
        yield


@mutation(workload="undoing")
def undo_that_is_tried_for_ever():
    with patch.object(TaskRecord, "attempts_limit", lambda self, limit: 10**6):
        yield
