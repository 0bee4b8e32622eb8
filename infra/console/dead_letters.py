"""Dead letters: by agent and reason, how many, since when, and each group run again as one."""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from nicegui import ui

from sqswarm.dispatcher.lifecycle.dead_letter_groups import DeadLetterGroup, DeadLetterGroups
from sqswarm.dispatcher.lifecycle.dead_letters import DeadLetter
from sqswarm.infra.console.bulk_act import BulkAct, Counted, bulk_button
from sqswarm.infra.console.frame import View
from sqswarm.infra.console.parts import button, card, mono_link, table
from sqswarm.infra.console.states import Part, empty
from sqswarm.infra.console.text import one_line, visible
from sqswarm.infra.console.times import ago

if TYPE_CHECKING:
    from sqswarm import AsyncSwarm


async def show(view: View) -> None:
    """Build the page."""

    async def read() -> DeadLetterGroups:
        return await (await view.context.swarm()).dead_letter_groups()

    def render(groups: DeadLetterGroups) -> None:
        _render(view, part, groups)

    part = Part(read, render)
    view.keys["r"] = part.refresh
    with view.actions():
        button("Read again", "refresh", part.refresh)
    await part.show()


def _render(view: View, part: Part[Any], groups: DeadLetterGroups) -> None:
    if not groups:
        if groups.total:
            empty(
                f"{groups.total:,} dead letters are being looked at by somebody else.",
                "Read again in a minute.",
            )
        else:
            empty("There are no dead letters.", "What fails for good is shown here.", icon="done")
        return
    now_ms = int(time.time() * 1000)
    with card():
        text = f"{groups.total:,} dead letters"
        if groups.looked_at < groups.total:
            text += f", of which {groups.looked_at:,} could be looked at"
        ui.label(text).classes("sq-soft")
        table(
            ["Agent", "Reason", "Number", "Newest", "Oldest", "For example", "Act"],
            [
                (
                    visible(group.agent, limit=80),
                    partial(_reason_link, group),
                    f"{group.count:,}",
                    ago(group.newest_ms, now_ms),
                    ago(group.oldest_ms, now_ms),
                    partial(_example, group.examples[0]),
                    partial(_redrive, view, part, group),
                )
                for group in groups
            ],
            label="Dead letters by agent and reason",
            numbers="Number",
        ).classes("sq-stack")


def _reason_link(group: DeadLetterGroup) -> None:
    query = urlencode({"reason": group.reason})
    ui.link(one_line(group.reason, limit=80), f"/dead-letters/{group.agent}?{query}")


def _example(letter: DeadLetter) -> None:
    if letter.task_id is not None:
        mono_link(f"{letter.task_id[:8]}…{letter.task_id[-6:]}", f"/tasks/{letter.task_id}")
    ui.label(one_line(str(letter.to_json()["detail"])))


def _redrive(view: View, part: Part[Any], group: DeadLetterGroup) -> None:
    act = redrive_act(group.agent, group.reason, after=part.refresh)
    reason = one_line(group.reason, limit=80)
    bulk_button(view, act, "Run again", "replay", label=f"Run again: {group.agent}, {reason}")


def redrive_act(agent: str, reason: str | None, *, after: Any) -> BulkAct:
    """Return the act that runs an agent's dead letters again, all or those of one reason."""

    async def count(swarm: AsyncSwarm) -> Counted:
        groups = await swarm.dead_letter_groups(agent)
        number = sum(group.count for group in groups if reason in {None, group.reason})
        of = "" if reason is None else f" ({one_line(reason, limit=80)})"
        return Counted(
            number=number,
            words=f"dead letters of {agent}{of}",
            more=groups.looked_at < groups.total,
        )

    def acts(swarm: AsyncSwarm, rate_per_s: float | None) -> AsyncGenerator[Any]:
        return swarm.redrive_dead_letters(agent, reason=reason, rate_per_s=rate_per_s)

    return BulkAct(
        name="dead-letters.redriven",
        verb="Run again",
        doing="Running again",
        done="run again",
        count=count,
        acts=acts,
        after=after,
        fields={"agent": agent, "reason": reason},
    )
