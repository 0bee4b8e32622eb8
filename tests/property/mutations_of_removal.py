"""Planted mistakes about removed agents; `MUTATIONS` has them too once this is imported."""

from __future__ import annotations

from unittest.mock import patch

from mutations import changed_operation, mutation, without

from sqswarm.dispatcher.lifecycle.sweep import Housekeeper


@mutation(workload="removals")
def tasks_that_end_with_their_agent():
    async def fails(self, record, now):
        return await self.fail_exhausted(record, "its agent is not deployed")

    with patch.object(Housekeeper, "_park", fails):
        yield


@mutation(workload="removals")
def tasks_of_removed_agents_that_are_set_aside_under_the_old_version():
    with changed_operation("park_unheld", lambda w: without(w, "v")):
        yield


@mutation(workload="removals")
def tasks_of_removed_agents_that_nobody_lists():
    with changed_operation("park_unheld", lambda w: without(w, "listed", "listed_at")):
        yield
