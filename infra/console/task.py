"""Task: one task, everything that is known of it."""

from __future__ import annotations

from sqswarm.dispatcher.view import TaskView
from sqswarm.infra.console.frame import View
from sqswarm.infra.console.parts import card, code, facts, status_chip
from sqswarm.infra.console.states import Part
from sqswarm.infra.console.text import as_json


async def show(view: View, task_id: str) -> None:
    """Build the page of the task `task_id`."""

    async def read() -> TaskView:
        return await (await view.context.swarm()).get(task_id)

    await Part(read, _render).show()


def _render(task: TaskView) -> None:
    with card():
        facts([("Status", lambda: status_chip(task.status.value)), ("Agent", task.record.agent)])
        code(as_json(task.to_json()), label="The task as JSON")
