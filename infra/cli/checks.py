"""What `sqswarm doctor` looks at, in the order in which one thing needs the other."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqswarm.infra.cli.session import Session
from sqswarm.infra.probe import probe
from sqswarm.schemas.errors import NotDeployed, SwarmError
from sqswarm.schemas.settings import Settings

if TYPE_CHECKING:
    from sqswarm.backends.aws.caller import ClientFactory
    from sqswarm.infra.plan import Plan
    from sqswarm.schemas.naming import Names

_OLDEST = (3, 11)


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One line of the doctor's: `verdict` is ok, warn or fail."""

    what: str
    verdict: str
    found: str
    fix: str | None = None
    exit_code: int = 1


def examine(session: Session, modules: Sequence[str]) -> Iterator[Finding]:
    """Yield findings; what cannot be asked because something before it failed is left out."""
    version = ".".join(map(str, sys.version_info[:3]))
    if sys.version_info[:2] >= _OLDEST:
        yield _ok("python", version)
    else:
        yield Finding(what="python", verdict="fail", found=version, fix="Use Python 3.11 or newer.")
    yield from _agents(session, modules)
    try:
        settings = session.settings()
    except SwarmError as error:
        yield _failed("settings", error)
        return
    yield _emulator(settings)
    try:
        probe(settings)
    except SwarmError as error:
        yield _failed("endpoint", error)
        return
    yield from _deployment(session, settings, modules)


def _ok(what: str, found: str) -> Finding:
    return Finding(what=what, verdict="ok", found=found)


def _failed(what: str, error: SwarmError) -> Finding:
    return Finding(
        what=what, verdict="fail", found=str(error), fix=error.hint, exit_code=error.exit_code
    )


def _agents(session: Session, modules: Sequence[str]) -> Iterator[Finding]:
    try:
        plan = session.plan(modules, session.stage_name())
    except SwarmError as error:
        # Calling a swarm needs no agents of one's own.
        yield Finding(what="agents here", verdict="warn", found=str(error), fix=error.hint)
    else:
        yield _ok("agents here", ", ".join(plan.specs))


def _emulator(settings: Settings) -> Finding:
    from sqswarm.infra.local import current
    from sqswarm.infra.local.environment import missing_needs

    running = current()
    if running is not None and (lack := missing_needs(running.kind)) is not None:
        return _failed("local AWS", lack)
    if running is not None:
        return _ok("local AWS", f"{running.kind} at {running.endpoint_url}")
    return Finding(
        what="local AWS",
        verdict="warn" if settings.endpoint_url is None or settings.local else "ok",
        found="not running",
        fix="Start it with `sqswarm up`, unless you mean AWS itself.",
    )


def _deployment(session: Session, settings: Settings, modules: Sequence[str]) -> Iterator[Finding]:
    from sqswarm.backends.aws.connect import client_factory, names_of
    from sqswarm.infra.account import with_account

    clients = client_factory(settings)
    where = settings.endpoint_url or f"AWS, {settings.region}"
    try:
        names = names_of(with_account(settings, clients))
        yield _ok("endpoint and credentials", f"{where}, account {names.account}")
        agents = _deployed(settings)
    except NotDeployed as error:
        yield _failed(f"stage {settings.stage!r}", error)
        return
    except SwarmError as error:
        yield _failed("endpoint and credentials", error)
        return
    yield _ok(f"stage {settings.stage!r}", f"{len(agents)} agents: {', '.join(agents)}")
    yield from _drifts(session, modules, names, clients, local=settings.local)


def _deployed(settings: Settings) -> list[str]:
    from sqswarm import Swarm

    with Swarm.connect(settings, operator=True) as swarm:
        return [entry.name for entry in swarm.agents()]


def _functions(
    plan: Plan, names: Names, clients: ClientFactory, *, local: bool
) -> Iterator[Finding]:
    """Look at what functions import, and whether they start."""
    from sqswarm.infra.deploy import bundle_of
    from sqswarm.infra.deployment.start_check import start_check

    try:
        bundle_of(plan, local=local).check()
    except SwarmError as error:
        yield _failed("imports", error)
    else:
        yield _ok("imports", "functions find all that the agents import")
    try:
        failed = start_check(plan.topology(names), clients, local=local)
    except SwarmError as error:
        yield _failed("functions", error)
        return
    if not failed:
        yield _ok("functions", "start")
    for found in failed:
        yield Finding(
            what="functions", verdict="fail", found=str(found), fix=found.hint(local=local)
        )


def _drifts(
    session: Session,
    modules: Sequence[str],
    names: Names,
    clients: ClientFactory,
    *,
    local: bool,
) -> Iterator[Finding]:
    from sqswarm.infra.deployment.inspect import inspect

    try:
        plan = session.plan(modules, names.stage)
    except SwarmError:
        return  # said above
    yield from _functions(plan, names, clients, local=local)
    try:
        drifts = inspect(plan.topology(names), clients)
    except SwarmError as error:
        yield _failed("resources", error)
        return
    if not drifts:
        yield _ok("resources", "all there, as the agents here declare them")
    for drift in drifts:
        yield Finding(
            what=drift.resource,
            verdict="fail" if drift.vital else "warn",
            found=drift.what,
            fix="Run `sqswarm deploy`.",
        )
