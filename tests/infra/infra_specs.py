"""Declarations that the tests of the infrastructure deploy, without any agent's code."""

import json

from sqswarm.infra.template import render, template_names
from sqswarm.infra.topology import topology
from sqswarm.schemas.agent_spec import AgentSpec, Subscription


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
    return json.loads(render(built))
