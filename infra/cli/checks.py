"""What `sqswarm doctor` looks at, in the order in which one thing needs the other."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from sqswarm.infra.cli.findings import Finding, failed, ok
from sqswarm.infra.cli.machine_checks import check_clock, check_machine, port_taken
from sqswarm.infra.cli.session import Session
from sqswarm.infra.probe import probe
from sqswarm.schemas.errors import NotDeployed, SwarmError
from sqswarm.schemas.settings import Settings
from sqswarm.schemas.task import iso

if TYPE_CHECKING:
    from sqswarm.backends.aws.caller import ClientFactory
    from sqswarm.infra.plan import Plan
    from sqswarm.schemas.naming import Names

_PORT = 4566
"""Where `up` and `dev` start the local AWS, unless they are told otherwise."""


def examine(session: Session, modules: Sequence[str]) -> Iterator[Finding]:
    """Yield findings; what cannot be asked because something before it failed is left out."""
    yield from check_machine()
    yield from _agents(session, modules)
    try:
        settings = session.settings()
    except SwarmError as error:
        yield failed("settings", error)
        return
    yield _emulator(settings)
    try:
        probe(settings)
    except SwarmError as error:
        yield failed("endpoint", error)
        return
    yield from check_clock(settings)
    yield from _deployment(session, settings, modules)


def _agents(session: Session, modules: Sequence[str]) -> Iterator[Finding]:
    try:
        plan = session.plan(modules, session.stage_name())
    except SwarmError as error:
        # Calling a swarm needs no agents of one's own.
        yield Finding(what="agents here", verdict="warn", found=str(error), fix=error.hint)
    else:
        yield ok("agents here", ", ".join(plan.specs))


def _emulator(settings: Settings) -> Finding:
    from sqswarm.infra.local import current
    from sqswarm.infra.local.environment import missing_needs

    running = current()
    if running is not None and (lack := missing_needs(running.kind)) is not None:
        return failed("local AWS", lack)
    if running is not None:
        return ok("local AWS", f"{running.kind} at {running.endpoint_url}")
    if (holder := port_taken(_PORT)) is not None:
        return Finding(
            what="local AWS",
            verdict="warn",
            found=f"not running, and another program has its port {_PORT}{holder}",
            fix=f"Stop that program, or choose another port: sqswarm dev --port {_PORT + 4}",
        )
    return Finding(
        what="local AWS",
        verdict="warn" if settings.endpoint_url is None or settings.local else "ok",
        found="not running",
        fix="Start it with `sqswarm dev` or `sqswarm up`, unless you mean AWS itself.",
    )


def _deployment(session: Session, settings: Settings, modules: Sequence[str]) -> Iterator[Finding]:
    from sqswarm.backends.aws.connect import client_factory, names_of
    from sqswarm.infra.account import with_account

    clients = client_factory(settings)
    where = settings.endpoint_url or f"AWS, {settings.region}"
    try:
        names = names_of(with_account(settings, clients))
        yield ok("endpoint and credentials", f"{where}, account {names.account}")
        agents = _deployed(settings)
    except NotDeployed as error:
        yield failed(f"stage {settings.stage!r}", error)
        return
    except SwarmError as error:
        yield failed("endpoint and credentials", error)
        return
    yield ok(f"stage {settings.stage!r}", f"{len(agents)} agents: {', '.join(agents)}")
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
        yield failed("imports", error)
    else:
        yield ok("imports", "functions find all that the agents import")
    try:
        stopped = start_check(plan.topology(names), clients, local=local)
    except SwarmError as error:
        yield failed("functions", error)
        return
    if not stopped:
        yield ok("functions", "start")
    for found in stopped:
        yield Finding(
            what="functions", verdict="fail", found=str(found), fix=found.hint(local=local)
        )


def _code(plan: Plan, names: Names, clients: ClientFactory, *, local: bool) -> Finding:
    """Look at whether what is deployed is what stands here."""
    from sqswarm.infra.deploy import bundle_of
    from sqswarm.infra.deployment.record import as_deployed, read_record

    fix = "Run `sqswarm deploy`."
    try:
        record = read_record(clients("s3"), names.bucket)
        plan = as_deployed(plan, clients("s3"), names.bucket)
        key = bundle_of(plan, local=local).key
    except SwarmError as error:
        return failed("deployed code", error)
    if record is None:
        found = "deployed by another version of sqswarm, or not to its end"
        return Finding(what="deployed code", verdict="warn", found=found, fix=fix)
    if record.template != plan.template_digest:
        found = "older than here: agents or their options have changed since"
        return Finding(what="deployed code", verdict="warn", found=found, fix=fix)
    if record.code_key != key:
        found = "older than here: code has changed since"
        return Finding(what="deployed code", verdict="warn", found=found, fix=fix)
    return ok("deployed code", "as it stands here")


def _drifts(
    session: Session,
    modules: Sequence[str],
    names: Names,
    clients: ClientFactory,
    *,
    local: bool,
) -> Iterator[Finding]:
    from sqswarm.infra.deployment.inspect import inspect
    from sqswarm.infra.deployment.record import read_paused

    try:
        plan = session.plan(modules, names.stage)
    except SwarmError:
        return  # said above
    plan = plan.as_deployed(paused=(paused := read_paused(clients("s3"), names.bucket)))
    for name, pause in paused.items():
        yield Finding(
            what=f"agent {name}",
            verdict="warn",
            found=f"paused since {iso(pause.at_ms)} by {pause.by}: its tasks wait",
            fix=f"Run `sqswarm resume {name}`.",
        )
    yield _code(plan, names, clients, local=local)
    yield from _functions(plan, names, clients, local=local)
    try:
        drifts = inspect(plan.topology(names), clients)
    except SwarmError as error:
        yield failed("resources", error)
        return
    if not drifts:
        yield ok("resources", "all there, as the agents here declare them")
    for drift in drifts:
        yield Finding(
            what=drift.resource,
            verdict="fail" if drift.vital else "warn",
            found=drift.what,
            fix="Run `sqswarm deploy`.",
        )
