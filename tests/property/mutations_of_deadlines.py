"""Planted mistakes about deadlines; `MUTATIONS` has them too once this is imported."""

from __future__ import annotations

from unittest.mock import patch

from mutations import mutation

import sqswarm.schemas.task
import sqswarm.workers.runtime.batch


@mutation(workload="deadlines")
def runs_that_begin_after_the_deadline():
    real = sqswarm.workers.runtime.batch.Runtime._arguments

    async def arguments(self, job, *, late):
        return await real(self, job, late=True)

    with patch.object(sqswarm.workers.runtime.batch.Runtime, "_arguments", arguments):
        yield


@mutation(workload="deadlines")
def waits_that_are_over_while_a_run_may_still_begin():
    with patch.object(sqswarm.schemas.task, "LEASE_MARGIN_S", -3):
        yield
