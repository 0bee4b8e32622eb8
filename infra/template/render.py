"""Render: a topology as CloudFormation, the same text for the same topology."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from troposphere import AWSObject, Output, Parameter, Ref, Template, cloudformation

from sqswarm.infra.resources import Topology
from sqswarm.infra.template.containers import add_parameters, containers
from sqswarm.infra.template.dashboard import dashboard
from sqswarm.infra.template.functions import CODE_KEY, timers
from sqswarm.infra.template.limits import check_limits
from sqswarm.infra.template.logical import camel, ref
from sqswarm.infra.template.messaging import ALARM_TOPIC, queue_title, topic_title, topics
from sqswarm.infra.template.parts import Places, own_resources, places
from sqswarm.infra.template.server import server, server_outputs
from sqswarm.infra.template.storage import BUCKET, TABLE, bucket, table
from sqswarm.schemas.json import canonical, size_bytes
from sqswarm.schemas.naming import Names

_UNSET_CODE = "code/unset.zip"


def template_names(stage: str) -> Names:
    """Return names whose account and region CloudFormation fills in: one text for all of them."""
    return Names(
        stage=stage,
        account="${AWS::AccountId}",
        region="${AWS::Region}",
        partition="${AWS::Partition}",
    )


@dataclass(frozen=True, kw_only=True)
class Rendered:
    """A stage as CloudFormation: its own stack's template, and those of further ones it needs.

    `places` has the agents of each of them, the stage's own first.
    """

    template: str
    parts: tuple[str, ...]
    places: Places


def render(topology: Topology, standing: Sequence[Sequence[str]] = ()) -> Rendered:
    """Return the stage's templates as compact JSON; `standing` are the places of what is deployed.

    `topology` is made with `template_names`. Raises InvalidAgent where it is more than AWS takes.
    """
    shared = list(_shared(topology))
    own = {one.key: list(own_resources(one, topology)) for one in topology.agents}
    found = places(
        {name: len(resources) for name, resources in own.items()},
        len(shared),
        # The services of containers and their cluster are shared.
        at_first=[one.key for one in topology.in_containers],
        standing=standing,
    )
    first, *further = ([one for name in names for one in own[name]] for names in found)
    return Rendered(
        template=_first(topology, [*shared, *first], found[0]),
        parts=tuple(_part(topology, resources) for resources in further),
        places=found,
    )


def _first(topology: Topology, resources: list[AWSObject], agents: Sequence[str]) -> str:
    template = _template(f"sqswarm, stage {topology.names.stage}: {_counted(topology)}")
    template.add_parameter(_code_key())
    if topology.in_containers:
        add_parameters(template, topology.fleet)
    for output in _outputs(topology, agents):
        template.add_output(output)
    return _text(template, resources)


def _part(topology: Topology, resources: list[AWSObject]) -> str:
    """Return the template of a further stack: agents, and the shared things by their names."""
    template = _template(f"sqswarm, stage {topology.names.stage}: more agents")
    template.add_parameter(_code_key())
    # The number of a stack is its place: one that lost its agents before a later one did stays.
    nothing = cloudformation.WaitConditionHandle("NoAgents", Metadata={"Code": ref(CODE_KEY)})
    text = _text(template, resources or [nothing])
    for title, physical in _physical_ids(topology).items():
        text = text.replace(canonical({"Ref": title}), canonical({"Fn::Sub": physical}))
    return text


def _physical_ids(topology: Topology) -> dict[str, str]:
    names = topology.names
    arn = f"arn:{names.partition}:sns:{names.region}:{names.account}"
    ids = {topic_title(one.name, names): f"{arn}:{one.name}" for one in topology.topics}
    return {**ids, ALARM_TOPIC: f"{arn}:{topology.alarm_topic}", BUCKET: names.bucket}


def _text(template: Template, resources: list[AWSObject]) -> str:
    check_limits(len(resources), 0)  # before troposphere, which gives no hint
    for resource in resources:
        template.add_resource(resource)
    text = canonical(template.to_dict())
    check_limits(len(resources), size_bytes(text))
    return text


def _code_key() -> Parameter:
    return Parameter(
        CODE_KEY,
        Type="String",
        Default=_UNSET_CODE,
        Description="Key of the code archive in the stage's bucket; `sqswarm deploy` sets it",
    )


def render_bucket_alone(names: Names) -> str:
    """Return the template of a stage's first step: only the bucket, for the code to go into."""
    template = _template(f"sqswarm, stage {names.stage}: its bucket, the rest follows")
    for resource in bucket(names):
        template.add_resource(resource)
    return canonical(template.to_dict())


def _template(description: str) -> Template:
    template = Template(Description=description)
    template.set_version("2010-09-09")
    return template


def _counted(topology: Topology) -> str:
    number = len(topology.agents)
    return f"{number} agent" + ("" if number == 1 else "s")


def _shared(topology: Topology) -> Iterator[AWSObject]:
    """Yield what is no single agent's; containers and schedules hang on it."""
    yield from bucket(topology.names)
    yield table(topology.names)
    yield from topics(topology)
    yield from own_resources(topology.unrouted, topology)
    yield from timers(topology)
    yield from containers(topology)
    yield from server(topology)
    yield dashboard(topology)


def _outputs(topology: Topology, agents: Sequence[str]) -> Iterator[Output]:
    yield Output("BucketName", Description="Claim checks and code", Value=Ref(BUCKET))
    yield Output("TableName", Description="Tasks", Value=Ref(TABLE))
    yield Output("AlarmTopicArn", Description="Subscribe to hear alarms", Value=Ref(ALARM_TOPIC))
    for topic in topology.topics:
        title = topic_title(topic.name, topology.names)
        yield Output(f"{title}Arn", Value=Ref(title))
    for consumer in topology.consumers:
        if consumer.spec is None or consumer.key in agents:
            yield Output(f"{camel(consumer.key)}QueueUrl", Value=Ref(queue_title(consumer)))
    yield from server_outputs(topology)
