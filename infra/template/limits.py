"""What CloudFormation takes, found before anything is sent."""

from __future__ import annotations

from sqswarm.schemas.errors import InvalidAgent

RESOURCE_LIMIT = 500
TEMPLATE_LIMIT_BYTES = 1_000_000
"""Source: CloudFormation quotas; a template from S3 holds 1 MB, one sent inline 51,200 bytes."""

INLINE_LIMIT_BYTES = 51_200


def check_limits(resources: int, size_bytes: int, agents: int) -> None:
    """Raise InvalidAgent where a stack cannot hold so much."""
    if resources > RESOURCE_LIMIT or size_bytes > TEMPLATE_LIMIT_BYTES:
        message = (
            f"{agents} agents need {resources} resources and a template of {size_bytes:,} bytes; "
            f"a stack holds {RESOURCE_LIMIT} and {TEMPLATE_LIMIT_BYTES:,}"
        )
        fits = agents * RESOURCE_LIMIT // max(resources, 1)
        raise InvalidAgent(
            message,
            hint=f"Deploy at most about {fits} agents in one stage; put the others in another.",
        )
