"""Task: everything that is known of one task, live until it ends."""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import Any

from nicegui import ui

from sqswarm.dispatcher.submit import Request
from sqswarm.dispatcher.view import TaskView, read_payload
from sqswarm.infra.console.acts import ask_first, attempt
from sqswarm.infra.console.follow import Followed
from sqswarm.infra.console.frame import View
from sqswarm.infra.console.gantt import gantt
from sqswarm.infra.console.graph import graph, mermaid_of
from sqswarm.infra.console.log_lines import log_lines
from sqswarm.infra.console.outcome import outcome
from sqswarm.infra.console.parts import button, card, code, facts, status_chip
from sqswarm.infra.console.question import question
from sqswarm.infra.console.schema_form import SchemaForm
from sqswarm.infra.console.states import Changing, Part, empty
from sqswarm.infra.console.task_facts import cost_of, facts_of, trace_link
from sqswarm.infra.console.task_table import shown_status
from sqswarm.infra.console.text import as_json
from sqswarm.schemas.errors import TaskNotFound, UsageError
from sqswarm.schemas.ids import created_ms, is_task_id
from sqswarm.schemas.json import JsonObject, loads
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.timeline import Timeline

_EVERY_S = 1.0
_LEAST_STEP_MS = 1000
_STEPS = 100
_UNBEGUN_MS = 3_600_000
"""So long an id without a record may be of a task that no worker has begun."""


@dataclass(frozen=True, kw_only=True)
class _Found:
    """What was read of the task; `task` is None where no worker has begun it."""

    task: TaskView | None
    arguments: JsonObject | None = None
    timeline: Timeline | None = None
    now_ms: int = 0


async def show(view: View, task_id: str) -> None:
    """Build the page of the task `task_id`."""
    await _TaskPage(view, task_id).build()


class _TaskPage:
    def __init__(self, view: View, task_id: str) -> None:
        self._view = view
        self._id = task_id
        self._arguments: JsonObject | None = None
        self._found: _Found | None = None

    async def build(self) -> None:
        short = f"{self._id[:8]}…{self._id[-6:]}" if is_task_id(self._id) else "?"
        self._view.title(f"Task {short}")
        with self._view.actions():
            self._buttons = Changing(self._build_buttons)
        self._again = ui.element("div").style("display: contents")
        self._part = Part(self._read, self._take, stale=self._view.stale)
        self._head = Changing(self._build_head)
        self._questions = Changing(self._build_questions)
        self._outcome = Changing(outcome)
        self._timeline = Changing(_build_timeline)
        self._graph = Changing(self._build_graph)
        self._logs = Changing(self._build_logs)
        self._raw = Changing(_build_raw)
        self._view.keys["r"] = self._part.refresh
        await self._part.show()
        self._view.live(self._part.refresh, every_s=_EVERY_S)

    async def _read(self) -> _Found:
        swarm = await self._view.context.swarm()
        now_ms = int(time.time() * 1000)
        try:
            task = await swarm.get(self._id)
        except TaskNotFound:
            if not is_task_id(self._id) or now_ms - created_ms(self._id) > _UNBEGUN_MS:
                raise
            return _Found(task=None, now_ms=now_ms)
        if self._arguments is None and task.record.arguments is not None:
            payload = await read_payload(swarm._connection, task.record.arguments)  # noqa: SLF001
            self._arguments = loads(payload)
        timeline = await swarm.timeline(self._id)
        return _Found(task=task, arguments=self._arguments, timeline=timeline, now_ms=now_ms)

    def _take(self, found: _Found) -> None:
        """Give every place what it shows; the part's own is for errors, and for nothing yet."""
        self._found = found
        task = found.task
        if task is None:
            empty(
                "No worker has begun this task yet.",
                "It shows here as soon as one does, if it was ever submitted.",
                icon="hourglass_empty",
            )
            return
        self._buttons.show(task.status, task.record.paused_now is not None)
        self._head.show(task.record, found.now_ms // 10_000)
        self._questions.show({} if task.status.terminal else task.record.asks)
        self._outcome.show(task, found.arguments)
        if found.timeline is not None:
            over = found.timeline.ended_ms is not None
            self._timeline.show(found.timeline, 0 if over else _tick(found.timeline, found.now_ms))
            self._graph.show(mermaid_of(found.timeline))
        self._logs.show(task.record.agent)
        self._raw.show(task)
        if task.status.terminal:
            self._view.ended()

    def _build_buttons(self, status: Status, paused: bool) -> None:  # noqa: FBT001 - Changing's
        if not self._view.context.writes:
            return
        if status.terminal:
            button("Run again…", "replay", self._run_again, kind="main")
            return
        if paused:
            button("Resume", "play_arrow", self._resume)
        else:
            button("Pause", "pause", self._pause)
        button("Cancel…", "cancel", self._cancel, kind="bad")

    def _build_head(self, record: Any, _tick: int) -> None:
        with card():
            now_ms = int(time.time() * 1000)
            facts(
                [
                    (
                        "Status",
                        partial(status_chip, shown_status(record)),
                    ),
                    *facts_of(record, now_ms),
                    ("Trace", partial(trace_link, record.traceparent, self._view.context.settings)),
                    ("Cost", partial(cost_of, self._view, record)),
                ],
                two=True,
            )

    def _build_questions(self, asks: JsonObject) -> None:
        if not asks:
            return
        with card("It asks"):
            for key, asked in asks.items():
                question(self._view, self._id, key, asked, answered=self._part.refresh)

    def _build_graph(self, made: tuple[str, list[str]] | None) -> None:
        if made is None:
            return
        with card("Tasks it started"):
            graph(*made, dark=bool(self._view.session.dark))

    def _build_logs(self, agent: str) -> None:
        with card("Log lines"):
            log_lines(self._view, agent, self._id)

    async def _pause(self) -> None:
        await self._view.context.act(
            "task.paused", lambda swarm: swarm.pause_task(self._id), task_id=self._id
        )
        await self._part.refresh()

    async def _resume(self) -> None:
        await self._view.context.act(
            "task.resumed", lambda swarm: swarm.resume_task(self._id), task_id=self._id
        )
        await self._part.refresh()

    async def _cancel(self) -> None:
        async def cancel() -> None:
            await self._view.context.act(
                "task.cancelled", lambda swarm: swarm.cancel(self._id), task_id=self._id
            )
            await self._part.refresh()

        ask_first(
            "Cancel this task? What it has done stays done, but for steps with an undo.",
            "Cancel it",
            cancel,
        )

    def _run_again(self) -> None:
        found = self._found
        if found is None or found.task is None:
            return
        record, arguments = found.task.record, found.arguments
        if arguments is None:
            ui.notify("It left no arguments: submit it anew.", type="warning")
            return
        agents = {entry.name: entry for entry in self._view.context.deployed()}
        entry = agents.get(record.agent)
        dialog = ui.dialog(value=True).props('aria-label="Run it again"')
        with dialog, ui.card().style("width: 44rem; max-width: 95vw"):
            with ui.element("h2"):
                ui.label("Run it again, as a new task")
            form = SchemaForm({} if entry is None else entry.input_schema, value=arguments)
            place = ui.element("div").style("width: 100%")

            async def start() -> None:
                given = form.value()
                if entry is None:
                    message = f"the agent {record.agent!r} is not deployed any more"
                    raise UsageError(message, hint="Deploy it, or submit to another.")
                edited = given != arguments
                request = Request(
                    arguments=given,
                    session_id=record.session_id,
                    ordering_key=record.ordering_key,
                    tags=record.tags or None,
                    redriven_from=self._id,
                )
                task = await self._view.context.act(
                    "task.retried",
                    lambda swarm: _started(swarm, record.agent, self._id, request, edited=edited),
                    task_id=self._id,
                    edited=edited,
                )
                with self._again:
                    Followed(self._view, task.id, heading="Run again as")

            async def go() -> None:
                if await attempt(start, place):
                    dialog.close()

            with ui.element("div").classes("sq-row"):
                button("Run it", "play_arrow", go, kind="main")
                button("Leave it", "close", dialog.close)
        dialog.on("hide", dialog.delete)


def _tick(timeline: Timeline, now_ms: int) -> int:
    """Return until when an unfinished timeline is drawn: not anew for a hair."""
    step: int = max(_LEAST_STEP_MS, (now_ms - timeline.began_ms) // _STEPS)
    return -(-now_ms // step) * step


async def _started(swarm: Any, agent: str, task_id: str, request: Request, *, edited: bool) -> Any:
    if not edited:
        return await swarm.redrive(task_id)
    [task] = await swarm.submit_many(agent, [request])
    return task


def _build_timeline(timeline: Timeline, now_ms: int) -> None:
    with card("Timeline"):
        gantt(timeline, now_ms)


def _build_raw(task: TaskView) -> None:
    with ui.element("details").classes("sq-card"):
        with ui.element("summary"):
            ui.label("All of it as JSON").style("display: inline")
        code(as_json(task.to_json()), label="The task as JSON")
