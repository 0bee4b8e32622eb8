"""Declarations that the tests of the infrastructure deploy, without any agent's code."""

import json

from sqswarm.infra.options import ServerOptions
from sqswarm.infra.resources import Fleet
from sqswarm.infra.template import render, template_names
from sqswarm.infra.topology import topology
from sqswarm.schemas.agent_spec import AgentSpec, Hosting, Schedule, Subscription


def spec(name="echo", **options):
    return AgentSpec(
        **{"calls": (), **options},
        name=name,
        title=name,
        description=f"Agent {name}.",
        input_schema={"type": "object", "properties": {"text": {"type": "string"}}},
        output_schema=None,
        wrapped=True,
    )


PLAIN = spec("echo")
LISTENER = spec("licence", subscriptions=(Subscription(topic="packages"),))
FILTERING = spec("read-me", subscriptions=(Subscription(topic="packages", types=("a", "b")),))
ORDERED = spec("ledger", ordered=True, subscriptions=(Subscription(topic="packages"),))
GRANTED = spec(
    "fetcher", permissions=({"Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::mine/*"]},)
)
LONG = spec("long-run", runs_on=Hosting.CONTAINER, timeout_s=7200, memory_mb=3000, concurrency=6)
TIMED = spec("timed", schedules=(Schedule(expression="rate(1 day)"),))
FLEET = Fleet(image="registry/me:1", subnets=("subnet-0a1b2c3d",), max_tasks=3)
EVERY_KIND = (PLAIN, LISTENER, FILTERING, ORDERED, GRANTED)


def rendered(*specs, stage="dev"):
    """The template of `specs`, as JSON has it."""
    built = topology(
        specs,
        names=template_names(stage),
        modules=["m"],
        runtime="python3.12",
        architecture="arm64",
    )
    return json.loads(render(built).template)


def every_resource(auth="NONE"):
    """The template of a stage that has every resource a stage can have."""
    built = topology(
        [*EVERY_KIND, LONG, TIMED],
        names=template_names("dev"),
        modules=["m"],
        runtime="python3.12",
        architecture="arm64",
        fleet=FLEET,
        server=ServerOptions(auth=auth, api=True),
        keep_versions=True,
    )
    return render(built).template


if __name__ == "__main__":
    print(every_resource())  # noqa: T201 - for `make check`
