"""`sqswarm diff`, and the first screen of `sqswarm deploy`."""

from __future__ import annotations

import sys
from collections import Counter
from typing import TYPE_CHECKING, Annotated

import typer

from sqswarm.infra.cli.output import print_json, print_line
from sqswarm.infra.cli.session import modules_of, session_of
from sqswarm.schemas.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from sqswarm.infra.deployment.difference import AgentChange, Difference

_MARKS = {"added": "+", "changed": "~", "removed": "-"}
_SHOWN = 12


def diff(
    context: typer.Context,
    agents: Annotated[
        str | None, typer.Option(help="Modules, instead of pyproject.toml's.")
    ] = None,
) -> None:
    """Say what `deploy` would change: agents, schemas, access, resources, what it costs idle.

    Nothing is changed. What is at stake, `deploy` asks about: data that goes, access that grows.

    Example: sqswarm diff --stage staging
    """
    from sqswarm.infra.deployment.look_ahead import look_ahead

    session = session_of(context)
    settings = session.reachable()
    seen = look_ahead(settings, session.plan(modules_of(agents), settings.stage))
    if session.json:
        print_json({"stage": settings.stage, **seen.to_json()})
        return
    if not seen:
        print_line(f"the stage {settings.stage!r} is as the agents here declare it")
    show(seen, print_line)


def show(seen: Difference, tell: Callable[[str], None]) -> None:
    """Tell it line by line."""
    for line in _lines(seen):
        tell(line)


def agree(seen: Difference, *, local: bool, yes: bool) -> None:
    """Ask whether to go on, where something is at stake and somebody can be asked.

    On a local emulator access is nothing to ask about, and whoever cannot be asked goes on: no task
    is lost, its tasks are parked. Raises UsageError where on AWS nobody can be asked.
    """
    from sqswarm.infra.deployment.difference import MORE_ACCESS

    at_stake = [one for one in seen.at_stake if not (local and one.startswith(MORE_ACCESS))]
    if not at_stake or yes:
        return
    if not sys.stdin.isatty():
        if local:
            return
        message = "deploy would have to ask first: " + "; ".join(at_stake[:3])
        raise UsageError(message, hint="`sqswarm diff` says all of it; add --yes to agree.")
    typer.confirm("Deploy it?", abort=True, err=True)


def _lines(seen: Difference) -> Iterator[str]:
    if seen.first:
        number = len(seen.agents)
        yield f"a new stage of {number} agent{'' if number == 1 else 's'}"
    else:
        for one in seen.agents:
            yield from _agent(one)
        if seen.code_changed and not seen.agents:
            yield "~ the code"
        yield from _resources(seen)
        for access in seen.widened[:_SHOWN]:
            yield f"! more access: {access}"
        if (more := len(seen.widened) - _SHOWN) > 0:
            yield f"! and {more} more (--json has all)"
    before = "" if seen.first or _same(seen) else f", ${seen.was_idle_usd:.2f} before"
    if seen:
        yield f"on AWS it costs about ${seen.idle_usd:.2f} a month while nothing is done{before}"


def _same(seen: Difference) -> bool:
    return round(seen.idle_usd, 2) == round(seen.was_idle_usd, 2)


def _agent(one: AgentChange) -> Iterator[str]:
    yield f"{_MARKS[one.kind]} agent {one.agent}{': ' if one.what else ''}{'; '.join(one.what)}"
    for broken in one.breaks:
        yield f"    ! breaks its callers: {broken}"
    if one.left:
        yield f"    ! {one.left} stay behind. Its tasks are parked until it is deployed again; or"
        yield f"      let them end first, or cancel them: sqswarm cancel --agent {one.agent}"


def _resources(seen: Difference) -> Iterator[str]:
    kinds = Counter[str](one.kind for one in seen.resources)
    if kinds:
        told = ", ".join(f"{kinds[kind]} {kind}" for kind in _MARKS if kinds[kind])
        yield f"  resources: {told}"
    for one in seen.resources:
        if one.replaced:
            lost = ": what it holds is lost" if one.loses else ""
            yield f"    ! {one.resource} ({one.type}) is made anew{lost}"
