"""What every resource of a stage is called: dispatchers find it by name, without a look-up."""

from __future__ import annotations

import re
from typing import Protocol

from sqswarm.schemas.errors import InvalidAgent, InvalidSettings, UsageError
from sqswarm.schemas.value import dataclass

LIVE = "live"
"""The alias of an agent's function that its messages go to, where versions are kept."""

TASKS_TOPIC = "tasks"
"""The topic that carries addressed tasks; each agent's queue filters on the attribute `agent`."""

UNROUTED = "unrouted"
"""The queue of tasks that name no deployed agent; housekeeping puts them aside with a reason."""

TASK_RESULT = "task_result"
"""The MCP server's own tool beside the agents."""

_STAGE = re.compile(r"[a-z][a-z0-9-]{0,11}")
_NAME = re.compile(r"[a-z](?:[a-z0-9_-]{0,38}[a-z0-9])?")
_RESERVED = frozenset({TASKS_TOPIC, "alarms", UNROUTED, "housekeeping", "dispatcher", TASK_RESULT})


def check_name(name: str, *, what: str) -> str:
    """Return `name` if it may name an agent or a topic.

    Raises InvalidAgent otherwise. Source of the length: Lambda allows 64 characters of
    function name, SQS 80 of queue name, and stage and suffix need their share.
    """
    if not _NAME.fullmatch(name):
        message = f"{what} name {name!r} is not 1 to 40 characters of a-z, 0-9, '-' and '_'"
        raise InvalidAgent(message, hint="Start with a letter and use small letters: `my-agent`.")
    if name in _RESERVED or name.endswith("-dlq"):
        message = f"{what} name {name!r} is taken by the swarm itself"
        raise InvalidAgent(message, hint="Choose another name.")
    return name


class NamedAgent(Protocol):
    """An agent itself: what `@agent` makes of a function, or a ClaudeAgent."""

    @property
    def name(self) -> str:
        """Return the name it is deployed under."""
        ...


def agent_name(agent: str | NamedAgent) -> str:
    """Return the name of an agent that is given by its name or as itself.

    Raises UsageError for anything else, as for a function that was never declared an agent.
    """
    name = agent if isinstance(agent, str) else getattr(agent, "name", None)
    if not isinstance(name, str):
        what = (
            f"the function {agent.__name__!r}"
            if callable(agent) and hasattr(agent, "__name__")
            else repr(agent)
        )
        message = f"{what} is not an agent"
        raise UsageError(message, hint="Decorate it with @agent, or pass the agent's name.")
    return name


@dataclass(frozen=True, kw_only=True)
class Names:
    """Names and addresses of one stage's resources in one account and region."""

    stage: str
    account: str
    region: str
    partition: str = "aws"

    def __post_init__(self) -> None:
        """Refuse a stage whose names AWS would refuse."""
        if not _STAGE.fullmatch(self.stage):
            message = f"stage {self.stage!r} is not 1 to 12 characters of a-z, 0-9 and '-'"
            raise InvalidSettings(message, hint="Set SQSWARM_STAGE to something like `dev`.")

    @property
    def stack(self) -> str:
        """Return the CloudFormation stack's name, which also starts every other name."""
        return f"sqswarm-{self.stage}"

    @property
    def table(self) -> str:
        """Return the DynamoDB table's name."""
        return self.stack

    @property
    def bucket(self) -> str:
        """Return the S3 bucket's name; bucket names are global, so it names the account."""
        return f"{self.stack}-{self.account}-{self.region}"

    def topic(self, topic: str, *, ordered: bool = False) -> str:
        """Return an SNS topic's name; ordered agents have a FIFO topic of their own."""
        return f"{self.stack}-{topic}" + (".fifo" if ordered else "")

    def topic_arn(self, topic: str, *, ordered: bool = False) -> str:
        """Return an SNS topic's ARN."""
        name = self.topic(topic, ordered=ordered)
        return f"arn:{self.partition}:sns:{self.region}:{self.account}:{name}"

    def queue(self, agent: str, *, ordered: bool = False) -> str:
        """Return an agent's queue name."""
        return f"{self.stack}-{agent}" + (".fifo" if ordered else "")

    def dead_letter_queue(self, agent: str, *, ordered: bool = False) -> str:
        """Return an agent's dead-letter queue name (a FIFO queue's is FIFO too)."""
        return f"{self.stack}-{agent}-dlq" + (".fifo" if ordered else "")

    def function(self, agent: str) -> str:
        """Return an agent's Lambda function name."""
        return f"{self.stack}-{agent}"
