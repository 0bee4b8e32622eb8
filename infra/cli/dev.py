"""`sqswarm dev`."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from sqswarm.infra.cli.session import Session, modules_of, session_of
from sqswarm.schemas.errors import UsageError

if TYPE_CHECKING:
    from sqswarm.infra.dev.screen import Screen
    from sqswarm.infra.local.emulator import Emulator
    from sqswarm.schemas.settings import Settings


def dev(
    context: typer.Context,
    *,
    agents: Annotated[
        str | None, typer.Option(help="Modules, instead of pyproject.toml's.")
    ] = None,
    emulator: Annotated[str, typer.Option(help="localstack or ministack.")] = "localstack",
    port: Annotated[int, typer.Option(help="Port on 127.0.0.1.")] = 4566,
    aws: Annotated[
        bool, typer.Option("--aws", help="On the AWS that the environment chooses, for money.")
    ] = False,
) -> None:
    """Run your agents: start the local AWS, deploy, show all logs, reload on every save.

    Code that does not load is shown with its place, and the old code goes on. What runs while you
    save ends on the code it began with. Ctrl-C ends all that this has started.

    Example: sqswarm dev --port 4570
    """
    if find_spec("watchfiles") is None:
        message = "`dev` watches with watchfiles, which is not installed here"
        raise UsageError(message, hint="Install it: pip install 'sqswarm[local]'")
    from sqswarm.infra.dev.loop import Loop, until_interrupted
    from sqswarm.infra.dev.screen import Screen

    session = session_of(context)
    modules = modules_of(agents)
    project = session.project(modules)
    screen = Screen(json=session.json)
    with until_interrupted():
        place = _on_aws(session) if aws else _local(session, emulator, port, screen)
        with place as (settings, where):
            project.activate()  # only to find the folders: nothing of it is imported here
            Loop(
                settings=settings,
                project=project,
                modules=modules,
                folder=Path.cwd(),
                screen=screen,
                where=where,
            ).run()


Place = Iterator[tuple["Settings", str]]


@contextlib.contextmanager
def _local(session: Session, kind: str, port: int, screen: Screen) -> Place:
    """Have a local AWS, and stop it again where it did not run before."""
    from sqswarm.backends.aws.connect import is_chosen
    from sqswarm.infra.local import EmulatorError, current, down, up
    from sqswarm.infra.local.emulator import EmulatorKind
    from sqswarm.schemas.settings import Settings

    kinds: dict[str, EmulatorKind] = {"localstack": "localstack", "ministack": "ministack"}
    if kind not in kinds:
        message = f"there is no emulator {kind!r} that `dev` could start"
        raise UsageError(message, hint="Choose localstack or ministack, or run `sqswarm up` first.")
    named = Settings.from_env(os.environ)
    if is_chosen(named, os.environ) or session.endpoint:
        if not session.settings().local:
            message = "the environment chooses AWS itself, and `dev` would deploy there"
            hint = "Unset AWS_PROFILE, AWS_ACCESS_KEY_ID and AWS_ENDPOINT_URL, or say --aws."
            raise UsageError(message, hint=hint)
        settings = session.reachable()
        yield settings, f"{settings.endpoint_url}"
        return
    running: Emulator | None = current()
    begun = None
    if running is None:
        running = begun = up(emulator=kinds[kind], port=port, progress=_told(screen))
    try:
        where = f"{running.kind} at {running.endpoint_url}"
        yield Session(stage=session.stage, json=True).settings(), where
    finally:
        if begun is not None:
            with contextlib.suppress(EmulatorError), _uninterrupted():
                down(port=begun.port)
                screen.say("stopped", f"{begun.kind} on port {begun.port} is stopped")


@contextlib.contextmanager
def _on_aws(session: Session) -> Place:
    settings = session.settings()
    if settings.local:
        message = "--aws was said, and the environment chooses a local AWS"
        raise UsageError(message, hint="Set AWS_PROFILE, or leave out --aws.")
    yield settings, f"AWS, {settings.region}"


def _told(screen: Screen) -> Callable[[str], None]:
    return lambda text: screen.say("step", text, dim=True)


@contextlib.contextmanager
def _uninterrupted() -> Iterator[None]:
    """Let a second Ctrl-C not leave behind half of what the first one ends."""
    import signal

    before = signal.signal(signal.SIGINT, signal.SIG_IGN)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)
