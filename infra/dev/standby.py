"""Standby: a process that waits for a save, with all imported that is not the user's.

It imports the agents anew, brings the stage to them and ends; the next one waits already. So no
code of the user's is ever imported twice in one process, nor into the one that watches, and what
is slow has been done before anybody saves.

Its parent writes a line when there is something to do. What it says are lines of JSON on the
stdout that it was given; what the agents print while they are imported goes to stderr.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any, TextIO

from sqswarm.backends.aws.connect import settings_from_environment
from sqswarm.infra.bundle import pack_ours
from sqswarm.infra.cli.failure import failure_of
from sqswarm.infra.deploy import Reports
from sqswarm.infra.deployment.stack import ResourceEvent
from sqswarm.infra.dev.reload import Reloader
from sqswarm.infra.plan import Plan, plan
from sqswarm.infra.project import find_project
from sqswarm.schemas.agent_spec import AgentSpec
from sqswarm.schemas.json import dumps


def serve(modules: Sequence[str], heard: TextIO, said: TextIO) -> int:
    """Wait for a line on `heard`, reload, and tell of it on `said`."""

    def say(**what: Any) -> None:
        said.write(dumps(what) + "\n")
        said.flush()

    sys.dont_write_bytecode = True  # two saves within a second would be one to it
    warm_up()
    if not heard.readline():
        return 0  # the parent is gone
    try:
        settings = settings_from_environment()
        made = plan(find_project(Path.cwd(), modules=modules), stage=settings.stage)
        reloader = Reloader(settings=settings, live=lambda: say(live=True))
        told = Reports(
            step=lambda text: say(step=text), resource=lambda event: _tell_failure(event, say)
        )
        done = reloader.reload(made, told)
    except (Exception, SystemExit) as error:  # agents may raise anything while imported
        failure = failure_of(error)
        say(error={"type": failure.kind, "message": failure.message, "hint": failure.hint})
        return 1
    say(done={"what": done.what, "notes": list(done.notes), "agents": about(made)})
    return 0


def warm_up() -> None:
    """Load what a reload needs and the agents have no part in."""
    import boto3  # noqa: F401
    import pydantic  # noqa: F401

    from sqswarm import TaskContext, agent  # noqa: F401

    pack_ours()


def about(made: Plan) -> list[dict[str, Any]]:
    """Return what a person wants to know of each agent: how it is called, and by which topics."""
    return [_about(spec) for spec in made.specs.values()]


def _about(spec: AgentSpec) -> dict[str, Any]:
    properties = spec.input_schema.get("properties", {})
    return {
        "name": spec.name,
        "needs": [name for name in properties if name in spec.input_schema.get("required", ())],
        "takes": [
            name if "default" not in schema else f"{name}={schema['default']!r}"
            for name, schema in properties.items()
        ],
        "topics": [subscription.topic for subscription in spec.subscriptions],
    }


def _tell_failure(event: ResourceEvent, say: Any) -> None:
    if event.failed:
        say(step=f"{event.resource} {event.status}: {event.reason}")


def main() -> None:
    """Serve over the process's own streams."""
    said = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    sys.exit(serve(sys.argv[1:], sys.stdin, said))


if __name__ == "__main__":
    main()
