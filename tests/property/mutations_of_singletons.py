"""Planted mistakes about singletons; `MUTATIONS` has them too once this is imported."""

from __future__ import annotations

from dataclasses import replace
from unittest.mock import patch

from mutations import mutation

import sqswarm.dispatcher.singleton
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.protocol.singleton import hold

_SINGLETON = sqswarm.dispatcher.singleton


@mutation(workload="singletons")
def singletons_that_are_held_without_a_look():
    def blind(*args, **given):
        return replace(hold(*args, **given), when=())

    with patch.object(_SINGLETON, "hold", blind):
        yield


@mutation(workload="singletons")
def singletons_that_are_free_while_their_task_waits():
    class Record(_SINGLETON.TaskRecord):
        @classmethod
        def from_item(cls, item):
            asks = item["status"] == Status.INPUT_REQUIRED or item["phase"] == "sleeping"
            return super().from_item({**item, "status": "failed"} if asks else item)

    with patch.object(_SINGLETON, "TaskRecord", Record):
        yield
