"""`sqswarm deploy`."""

from __future__ import annotations

import re
import sys
from types import TracebackType
from typing import TYPE_CHECKING, Annotated, Self

import typer

from sqswarm.infra.cli import filters
from sqswarm.infra.cli.diff import agree, show
from sqswarm.infra.cli.output import note, print_json, print_line
from sqswarm.infra.cli.session import modules_of, session_of
from sqswarm.schemas.errors import UsageError

if TYPE_CHECKING:
    from sqswarm.infra.deployment.canary import Canary
    from sqswarm.infra.deployment.stack import ResourceEvent


def deploy(
    context: typer.Context,
    agents: Annotated[
        str | None, typer.Option(help="Modules, instead of pyproject.toml's.")
    ] = None,
    *,
    force: Annotated[
        bool, typer.Option("--force", help="Deploy code that tasks under way do not fit.")
    ] = False,
    yes: filters.Yes = False,
    canary: Annotated[
        str | None,
        typer.Option(metavar="SHARE", help="Give new code this share of messages first: 10%."),
    ] = None,
    bake: Annotated[
        str, typer.Option(metavar="TIME", help="How long the canary is watched: 90s, 10m, 1h.")
    ] = "5m",
) -> None:
    """Bring the stage to what the agents declare; quick where nothing has changed.

    Tasks under way are replayed against new code first, a sample of each agent's, and nothing
    is called. Where one does not fit, nothing is deployed (exit code 1): ask `ctx.patched` in the
    code, or deploy it with --force. Then what does not fit is parked until code comes that does.

    With --canary new code gets a share of messages first. Where three of its attempts fail, and
    clearly more than of the old code's, it is taken back (exit code 1). It needs `keep_versions` in
    pyproject.toml: then tasks under way finish on the code that they began with, too.

    What changes is said first. Where data goes or access grows it asks; on AWS it needs --yes where
    there is nobody to ask.

    Example: sqswarm deploy --agents my_agents,more_agents
    """
    from sqswarm.infra.deploy import Reports, bundle_of
    from sqswarm.infra.deploy import deploy as bring_up
    from sqswarm.infra.deployment.look_ahead import look_ahead

    session = session_of(context)
    share = None if canary is None else canary_of(canary, bake)
    settings = session.reachable()
    plan = session.plan(modules_of(agents), settings.stage)
    packed = bundle_of(plan, local=settings.local)
    seen = look_ahead(settings, plan, packed)
    if seen and not session.json:
        show(seen, session.note)
    agree(seen, local=settings.local, yes=yes)
    with Ticker(hidden=session.json) as ticker:
        done = bring_up(
            settings,
            plan,
            Reports(step=ticker.step, resource=ticker.resource),
            force=force,
            canary=share,
            packed=packed,
        )
    if session.json:
        print_json(
            {
                "stage": settings.stage,
                "changed": done.changed,
                "agents": list(done.agents),
                "code": done.code_key,
                "seconds": round(done.seconds, 2),
                "mended": list(done.mended),
                "notes": list(done.notes),
                "server": done.server_url,
            }
        )
        return
    for text in done.notes:
        session.note(f"note: {text}")
    what = "deployed" if done.changed else "nothing to do:"
    number = len(done.agents)
    if done.server_url is not None:
        session.note(f"the MCP server is at {done.server_url}mcp")
    print_line(
        f"{what} {number} agent{'' if number == 1 else 's'} on the stage {settings.stage!r} "
        f"({done.seconds:.1f} s): {', '.join(done.agents)}"
    )


def canary_of(share: str, bake: str) -> Canary:
    """Return the canary that `10%` and `5m` describe; raises UsageError for what is none."""
    from sqswarm.infra.deployment.canary import Canary

    number = re.fullmatch(r"([0-9]{1,2})%?", share.strip())
    if number is None or int(number[1]) == 0:
        message = f"a canary's share is {share!r}"
        raise UsageError(message, hint="Write a whole number of per cent from 1 to 99, like 10%.")
    length = re.fullmatch(r"([0-9]{1,5})([smh])", bake.strip())
    if length is None:
        message = f"a canary is watched for {bake!r}"
        raise UsageError(message, hint="Write 90s, 10m or 1h.")
    seconds = int(length[1]) * {"s": 1, "m": 60, "h": 3600}[length[2]]
    return Canary(share=int(number[1]) / 100, bake_s=float(seconds))


class Ticker:
    """Progress on stderr: a line that changes on a terminal, a line per step elsewhere."""

    def __init__(self, *, hidden: bool) -> None:
        """Show nothing if `hidden`."""
        self._hidden = hidden
        self._live = sys.stderr.isatty() and not hidden
        self._step = ""
        self._ready: set[str] = set()

    def __enter__(self) -> Self:
        """Start the changing line."""
        if self._live:
            from rich.console import Console

            self._status = Console(stderr=True).status("starting")
            self._status.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """End it."""
        if self._live:
            self._status.stop()

    def step(self, text: str) -> None:
        """Say what is being done."""
        self._step = text
        self._ready.clear()
        if self._live:
            self._status.update(text)
        elif not self._hidden:
            note(text)

    def resource(self, event: ResourceEvent) -> None:
        """Say what became of a resource; a failure stays on the screen."""
        if self._hidden:
            return
        if event.failed:
            note(f"{event.resource} {event.status}: {event.reason}")
        elif self._live:
            if event.status.endswith("_COMPLETE"):
                self._ready.add(event.resource)
            verb = event.status.replace("_", " ").lower()
            self._status.update(f"{self._step}: {len(self._ready)} ready, {event.resource} {verb}")
