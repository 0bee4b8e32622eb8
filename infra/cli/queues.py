"""The queues of deployed agents, by agent, as verbs that look after them need."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from sqswarm.backends.aws.caller import translated
from sqswarm.infra.cli.session import Session
from sqswarm.schemas.catalogue import CATALOGUE_KEY, Catalogue
from sqswarm.schemas.errors import NotDeployed
from sqswarm.schemas.naming import UNROUTED, Names


@dataclass(frozen=True, kw_only=True)
class AgentQueues:
    """One agent's two queues."""

    agent: str
    url: str
    dead_letters_url: str


def queues_of(session: Session, agent: str | None) -> tuple[Any, list[AgentQueues]]:
    """Return the SQS client and the queues of `agent`, or of every agent and `unrouted`.

    Raises UnknownAgent, NotDeployed or Unreachable.
    """
    from sqswarm.infra.deployment.record import read_object

    names, clients = session.clients()
    data = read_object(clients("s3"), names.bucket, CATALOGUE_KEY)
    if data is None:
        message = f"the stage {names.stage!r} is not deployed here"
        raise NotDeployed(message)
    catalogue = Catalogue.load(data)
    if agent is None:
        ordered = {entry.name: entry.ordered for entry in catalogue.agents.values()}
        wanted = {**ordered, UNROUTED: False}
    elif agent == UNROUTED:
        wanted = {UNROUTED: False}
    else:
        wanted = {agent: catalogue.agent(agent).ordered}
    sqs = clients("sqs")
    try:
        return sqs, [_queues(sqs, names, name, ordered=fifo) for name, fifo in wanted.items()]
    except (ClientError, BotoCoreError) as error:
        raise translated(error, "sqs") from error


def _queues(sqs: Any, names: Names, agent: str, *, ordered: bool) -> AgentQueues:
    queue = names.queue(agent, ordered=ordered)
    letters = names.dead_letter_queue(agent, ordered=ordered)
    return AgentQueues(
        agent=agent,
        url=sqs.get_queue_url(QueueName=queue)["QueueUrl"],
        dead_letters_url=sqs.get_queue_url(QueueName=letters)["QueueUrl"],
    )
