"""`sqswarm` without a verb: what is up here, and what to do next."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from sqswarm.infra.cli.output import duration, print_json, print_line
from sqswarm.infra.cli.session import Session
from sqswarm.schemas.errors import SwarmError

if TYPE_CHECKING:
    from sqswarm.infra.local.emulator import Emulator
    from sqswarm.infra.project import Project
    from sqswarm.schemas.catalogue import CatalogueEntry


@dataclass(frozen=True, kw_only=True)
class Overview:
    """What there is: `agents` are those deployed on the stage, None where nobody was asked."""

    emulator: Emulator | None
    aws: str | None
    project: Project | None
    problem: SwarmError | None
    stage: str
    agents: Sequence[CatalogueEntry] | None

    @property
    def next_steps(self) -> list[tuple[str, str]]:
        """Return commands, and what each is for, the likeliest first."""
        if self.agents:
            first = self.agents[0]
            needs = "".join(f" {name}=…" for name in first.input_schema.get("required", ()))
            return [
                (f"sqswarm submit {first.name}{needs} --wait", "give an agent a task"),
                ("sqswarm list", "see what became of it"),
                *([("sqswarm dev", "new code on every save")] if self.project else []),
            ]
        if self.project is None:
            return [
                ("sqswarm init demo", "make a small project that runs"),
                ("sqswarm doctor", "check the set-up"),
            ]
        if self.aws is not None:
            return [("sqswarm deploy", f"bring your agents to {self.aws}")]
        return [
            ("sqswarm dev", "the local AWS with your agents, new code on every save"),
            ("sqswarm deploy", "bring them to the local AWS that runs")
            if self.emulator
            else ("sqswarm up", "the local AWS alone"),
        ]


def look(session: Session) -> Overview:
    """Look at this machine and folder. AWS itself is not asked: that takes time, and rights."""
    from sqswarm.backends.aws.connect import is_chosen
    from sqswarm.infra.local import current
    from sqswarm.schemas.settings import Settings

    named = Settings.from_env(os.environ)
    aws, agents = None, None
    emulator = current()
    if is_chosen(named, os.environ) or session.endpoint:
        settings = session.settings()
        aws = None if settings.local else f"AWS, {settings.region}"
        where = settings.endpoint_url
    else:
        where = emulator.endpoint_url if emulator else None
    if where is not None and aws is None:
        agents = _deployed(session)
    project, problem = None, None
    try:
        project = session.project(())
    except SwarmError as error:
        problem = error if (Path.cwd() / "pyproject.toml").exists() else None
    return Overview(
        emulator=emulator,
        aws=aws,
        project=project,
        problem=problem,
        stage=session.stage_name(),
        agents=agents,
    )


def _deployed(session: Session) -> Sequence[CatalogueEntry] | None:
    quiet = Session(json=True, stage=session.stage, endpoint=session.endpoint)
    try:
        with quiet.swarm() as swarm:
            return swarm.agents()
    except SwarmError:
        return None


def show_overview(session: Session) -> None:
    """Print it, and where all commands are listed."""
    seen = look(session)
    if session.json:
        print_json(_document(seen))
        return
    typer.secho(f"sqswarm {version('sqswarm')}", bold=True)
    print_line(f"  local AWS   {_emulator(seen.emulator)}")
    if seen.aws:
        print_line(f"  used here   {seen.aws}: the environment chooses it")
    print_line(f"  project     {_project(seen)}")
    print_line(f"  stage {seen.stage!r:<6}{_stage(seen)}")
    print_line("next:")
    width = max(len(command) for command, _ in seen.next_steps)
    for command, what in seen.next_steps:
        print_line(f"  {command.ljust(width)}   {what}")
    print_line("`sqswarm --help` lists all commands.")


def _emulator(emulator: Emulator | None) -> str:
    if emulator is None:
        return "not running"
    since = duration(time.time() - emulator.started_at)
    return f"{emulator.kind} at {emulator.endpoint_url}, up for {since}"


def _project(seen: Overview) -> str:
    if seen.problem is not None:
        return f"{seen.problem} (fix: {seen.problem.hint})"
    if seen.project is None:
        return "none in this folder"
    return f"{seen.project.root}: {', '.join(seen.project.modules)}"


def _stage(seen: Overview) -> str:
    if seen.agents:
        names = ", ".join(entry.name for entry in seen.agents)
        return f"{len(seen.agents)} agent{'' if len(seen.agents) == 1 else 's'} deployed: {names}"
    return "not looked at" if seen.aws else "nothing deployed"


def _document(seen: Overview) -> dict[str, object]:
    return {
        "version": version("sqswarm"),
        "localAws": {"kind": seen.emulator.kind, "endpoint": seen.emulator.endpoint_url}
        if seen.emulator
        else None,
        "aws": seen.aws,
        "project": str(seen.project.root) if seen.project else None,
        "problem": str(seen.problem) if seen.problem else None,
        "stage": seen.stage,
        "agents": None if seen.agents is None else [entry.name for entry in seen.agents],
        "next": [command for command, _ in seen.next_steps],
    }
