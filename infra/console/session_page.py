"""Session: one conversation with one agent, turn by turn."""

from __future__ import annotations

from typing import Any

from nicegui import ui

from sqswarm.dispatcher.sessions import find_sessions, forget_session
from sqswarm.infra.console.acts import ask_first
from sqswarm.infra.console.frame import View
from sqswarm.infra.console.parts import button, code, facts
from sqswarm.infra.console.states import Part, empty
from sqswarm.infra.console.text import as_json, one_line, visible
from sqswarm.infra.console.times import exact
from sqswarm.schemas.session import History, SessionTurn


async def show(view: View, agent: str, id: str = "", principal: str = "") -> None:  # noqa: A002
    """Build the page of the session `id` that `principal` has with `agent`."""
    view.title(f"Session {one_line(id, limit=60)}")

    async def read() -> History | None:
        swarm = await view.context.swarm()
        connection = swarm._connection  # noqa: SLF001 - it reads what the CLI reads
        owner = principal or connection.principal
        found = await find_sessions(connection, id, principal=owner, agents=[agent])
        return found[0] if found else None

    def render(history: History | None) -> None:
        actions.clear()
        if history is None:
            empty("There is no such session.", "It ends 30 days after its last turn.", icon="forum")
            return
        with actions:
            _forgetting(view, history, part)
        _render(history)

    actions = view.actions()
    part = Part(read, render)
    view.keys["r"] = part.refresh
    await part.show()


def _forgetting(view: View, history: History, part: Part[Any]) -> None:
    async def forget() -> None:
        await view.context.act(
            "session.forgotten",
            lambda swarm: forget_session(swarm._connection, history),  # noqa: SLF001
            agent=history.agent,
            session_id=history.session_id,
        )
        await part.refresh()

    if view.context.writes:
        question = f"Forget all {len(history.turns)} turns of this session?"
        button("Forget", "delete", lambda: ask_first(question, "Forget", forget), kind="bad")


def _render(history: History) -> None:
    with ui.element("section").classes("sq-card"):
        facts(
            [
                ("Agent", lambda: ui.link(history.agent, f"/agents/{history.agent}")),
                ("Whose", history.principal),
                ("Turns", f"{len(history.turns):,}, about {_tokens(history):,} tokens"),
            ]
        )
    for turn in history.turns:
        _turn(turn)


def _tokens(history: History) -> int:
    return sum(turn.tokens for turn in history.turns)


def _turn(turn: SessionTurn) -> None:
    with ui.element("section").classes("sq-card"):
        with ui.element("h2"):
            ui.label(f"Turn {turn.number}, {exact(turn.at_ms)}")
        for number, message in enumerate(turn.messages, 1):
            role = one_line(str(message.get("role", "")), limit=40)
            ui.label(role).classes("sq-soft sq-small")
            content = message.get("content")
            text = visible(content) if isinstance(content, str) else as_json(content)
            code(text, label=f"Turn {turn.number}, message {number}")
