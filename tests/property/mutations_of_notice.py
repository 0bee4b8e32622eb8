"""Planted mistakes about who is told; `MUTATIONS` has them too once this is imported."""

from __future__ import annotations

from unittest.mock import patch

from mutations import changed_operation, mutation, without

import sqswarm.dispatcher.lifecycle.cancel
import sqswarm.dispatcher.lifecycle.completion
import sqswarm.dispatcher.lifecycle.sweep


@mutation(workload="told")
def an_end_to_be_told_without_the_sweep_entry():
    """Whoever dies between the settle and the telling is missed by nobody."""
    with changed_operation("settle", lambda w: without(w, "due_at", "due_shard")):
        yield


@mutation(workload="told")
def a_notice_that_failed_and_is_forgotten():
    with patch.object(
        sqswarm.dispatcher.lifecycle.completion, "told_again_ms", lambda *_, **__: None
    ):
        yield


@mutation(workload="told")
def a_cancel_that_tells_nobody():
    with patch.object(sqswarm.dispatcher.lifecycle.cancel, "told_of", lambda *_: ()):
        yield


@mutation(workload="told")
def a_tombstone_that_nobody_is_told_of():
    with patch.object(sqswarm.dispatcher.lifecycle.cancel, "owes_until_ms", lambda *_: None):
        yield


@mutation(workload="told")
def children_that_are_cancelled_and_told_to_nobody():
    with patch.object(sqswarm.dispatcher.lifecycle.completion, "told_of", lambda *_: ()):
        yield


@mutation(workload="told")
def a_lost_task_that_nobody_is_told_of():
    with patch.object(sqswarm.dispatcher.lifecycle.sweep, "owes_until_ms", lambda *_: None):
        yield
