"""What CloudFormation takes, found before anything is sent."""

from __future__ import annotations

from collections import Counter

from sqswarm.infra.resources import Topology
from sqswarm.schemas.errors import InvalidAgent

RESOURCE_LIMIT = 500
TEMPLATE_LIMIT_BYTES = 1_000_000
"""Source: CloudFormation quotas; a template from S3 holds 1 MB, one sent inline 51,200 bytes."""

INLINE_LIMIT_BYTES = 51_200

FILTERS_A_TOPIC = 200
"""Subscriptions of a topic with a filter policy, by default. Source: SNS quotas; AWS raises it."""


def crowded(topology: Topology) -> dict[str, int]:
    """Return the topics with more filter policies than SNS takes by default, and how many."""
    filters = Counter(
        one.topic for each in topology.consumers for one in each.subscriptions if one.filter
    )
    return {topic: count for topic, count in filters.items() if count > FILTERS_A_TOPIC}


def check_limits(resources: int, size_bytes: int) -> None:
    """Raise InvalidAgent where a stack cannot hold so much."""
    if resources > RESOURCE_LIMIT or size_bytes > TEMPLATE_LIMIT_BYTES:
        message = (
            f"a stack of this stage needs {resources} resources and a template of {size_bytes:,} "
            f"bytes; CloudFormation takes {RESOURCE_LIMIT} and {TEMPLATE_LIMIT_BYTES:,}"
        )
        raise InvalidAgent(
            message,
            hint="Topics, schedules and agents in containers are all in a stage's first stack: put "
            "some of them in another stage.",
        )
