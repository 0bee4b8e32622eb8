"""Render: a topology as CloudFormation, the same text for the same topology."""

from __future__ import annotations

from collections.abc import Iterator

from troposphere import AWSObject, Output, Parameter, Ref, Template

from sqswarm.infra.resources import Topology
from sqswarm.infra.template.alarms import alarms
from sqswarm.infra.template.containers import add_parameters, containers
from sqswarm.infra.template.dashboard import dashboard
from sqswarm.infra.template.functions import CODE_KEY, workforce
from sqswarm.infra.template.limits import check_limits
from sqswarm.infra.template.logical import camel
from sqswarm.infra.template.messaging import ALARM_TOPIC, mail, queue_title, topic_title, topics
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


def render(topology: Topology) -> str:
    """Return the stage's template as compact JSON.

    `topology` is made with `template_names`. Raises InvalidAgent where it is more than a stack
    holds.
    """
    template = _template(f"sqswarm, stage {topology.names.stage}: {_counted(topology)}")
    template.add_parameter(
        Parameter(
            CODE_KEY,
            Type="String",
            Default=_UNSET_CODE,
            Description="Key of the code archive in the stage's bucket; `sqswarm deploy` sets it",
        )
    )
    if topology.in_containers:
        add_parameters(template, topology.fleet)
    resources = list(_resources(topology))
    check_limits(len(resources), 0, len(topology.agents))  # before troposphere, which gives no hint
    for resource in resources:
        template.add_resource(resource)
    for output in _outputs(topology):
        template.add_output(output)
    text = canonical(template.to_dict())
    check_limits(len(template.resources), size_bytes(text), len(topology.agents))
    return text


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


def _resources(topology: Topology) -> Iterator[AWSObject]:
    yield from bucket(topology.names)
    yield table(topology.names)
    yield from topics(topology)
    for consumer in topology.consumers:
        yield from mail(consumer, topology.names)
        yield from alarms(consumer, topology)
    yield from workforce(topology)
    yield from containers(topology)
    yield from server(topology)
    yield dashboard(topology)


def _outputs(topology: Topology) -> Iterator[Output]:
    yield Output("BucketName", Description="Claim checks and code", Value=Ref(BUCKET))
    yield Output("TableName", Description="Tasks", Value=Ref(TABLE))
    yield Output("AlarmTopicArn", Description="Subscribe to hear alarms", Value=Ref(ALARM_TOPIC))
    for topic in topology.topics:
        title = topic_title(topic.name, topology.names)
        yield Output(f"{title}Arn", Value=Ref(title))
    for consumer in topology.consumers:
        yield Output(f"{camel(consumer.key)}QueueUrl", Value=Ref(queue_title(consumer)))
    yield from server_outputs(topology)
