"""Topics, queues, their policies and subscriptions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from troposphere import AWSObject, sns, sqs

from sqswarm.infra.resources import Consumer, Queue, Subscription, Topic, Topology
from sqswarm.infra.template.logical import arn, camel, digest, ref, text
from sqswarm.schemas.naming import Names

ALARM_TOPIC = "Alarms"


def topic_title(topic: str, names: Names) -> str:
    """Return a topic's logical id from its physical name."""
    short = topic.removeprefix(f"{names.stack}-")
    return camel(short.removesuffix(".fifo")) + (
        "FifoTopic" if topic.endswith(".fifo") else "Topic"
    )


def queue_title(consumer: Consumer) -> str:
    """Return the logical id of a consumer's queue."""
    return f"{camel(consumer.key)}Queue"


def dead_letters_title(consumer: Consumer) -> str:
    """Return the logical id of a consumer's dead-letter queue."""
    return f"{camel(consumer.key)}DeadLetters"


def topics(topology: Topology) -> Iterator[AWSObject]:
    """Yield every topic."""
    for topic in topology.topics:
        yield _topic(topic, topology.names)
    # Not encrypted: CloudWatch may not use AWS's own key of SNS, and alarms carry no data.
    yield sns.Topic(ALARM_TOPIC, TopicName=topology.alarm_topic)
    yield from _topic_policies(topology)


def mail(consumer: Consumer, names: Names) -> Iterator[AWSObject]:
    """Yield a consumer's queues, who may send to them, and what flows into them."""
    titles = (queue_title(consumer), dead_letters_title(consumer))
    for title, queue in zip(titles, (consumer.queue, consumer.dead_letters), strict=True):
        yield _queue(title, queue, names, dead_letters=titles[1])
        yield _queue_policy(title, queue, names)
    for subscription in consumer.subscriptions:
        yield _subscription(consumer, subscription, names)


def _topic(topic: Topic, names: Names) -> sns.Topic:
    fifo: dict[str, Any] = (
        {
            "FifoTopic": True,
            "ContentBasedDeduplication": False,
            "FifoThroughputScope": "MessageGroup",
        }
        if topic.fifo
        else {}
    )
    return sns.Topic(
        topic_title(topic.name, names),
        TopicName=topic.name,
        KmsMasterKeyId="alias/aws/sns",
        **fifo,
    )


def _topic_policies(topology: Topology) -> Iterator[AWSObject]:
    """Yield who may publish beside the roles whose own policies say so: alarms to their topic.

    A topic without a policy has SNS's default one, which names everybody (`AWS:SourceOwner`).
    """
    tls = {
        "Sid": "OnlyOverTls",
        "Effect": "Deny",
        "Principal": "*",
        "Action": "sns:Publish",
        "Resource": "*",
        "Condition": {"Bool": {"aws:SecureTransport": "false"}},
    }
    yield sns.TopicPolicy(
        "TopicsPolicy",
        Topics=[ref(topic_title(topic.name, topology.names)) for topic in topology.topics],
        PolicyDocument={"Version": "2012-10-17", "Statement": [tls]},
    )
    alarms = {
        "Sid": "AlarmsMayPublish",
        "Effect": "Allow",
        "Principal": {"Service": "cloudwatch.amazonaws.com"},
        "Action": "sns:Publish",
        "Resource": "*",
        "Condition": {"StringEquals": {"aws:SourceAccount": text(topology.names.account)}},
    }
    yield sns.TopicPolicy(
        "AlarmsPolicy",
        Topics=[ref(ALARM_TOPIC)],
        PolicyDocument={"Version": "2012-10-17", "Statement": [alarms, tls]},
    )


def _queue(title: str, queue: Queue, names: Names, *, dead_letters: str) -> sqs.Queue:
    more: dict[str, Any] = {}
    if queue.fifo:
        more |= {
            "FifoQueue": True,
            "ContentBasedDeduplication": False,
            "DeduplicationScope": "messageGroup",
            "FifoThroughputLimit": "perMessageGroupId",
        }
    if queue.dead_letters is not None:
        more["RedrivePolicy"] = sqs.RedrivePolicy(
            deadLetterTargetArn=arn(dead_letters), maxReceiveCount=queue.max_receive_count
        )
    if queue.dead_letters_of is not None:
        # Spelled out: a reference would make the two queues depend on each other.
        source = text(queue_arn(names, queue.dead_letters_of))
        more["RedriveAllowPolicy"] = {"redrivePermission": "byQueue", "sourceQueueArns": [source]}
    return sqs.Queue(
        title,
        QueueName=queue.name,
        VisibilityTimeout=queue.visibility_s,
        MessageRetentionPeriod=queue.retention_s,
        SqsManagedSseEnabled=True,
        **more,
    )


def queue_arn(names: Names, queue: str) -> str:
    """Return a queue's ARN from its physical name."""
    return f"arn:{names.partition}:sqs:{names.region}:{names.account}:{queue}"


def _queue_policy(title: str, queue: Queue, names: Names) -> sqs.QueuePolicy:
    topics = [ref(topic_title(topic, names)) for topic in queue.senders]
    return sqs.QueuePolicy(
        f"{title}Policy",
        Queues=[ref(title)],
        PolicyDocument={
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "TopicsMaySend",
                    "Effect": "Allow",
                    "Principal": {"Service": "sns.amazonaws.com"},
                    "Action": "sqs:SendMessage",
                    "Resource": arn(title),
                    "Condition": {"ArnEquals": {"aws:SourceArn": topics}},
                },
                {
                    "Sid": "OnlyOverTls",
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": "sqs:*",
                    "Resource": arn(title),
                    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                },
            ],
        },
    )


def _subscription(
    consumer: Consumer, subscription: Subscription, names: Names
) -> sns.SubscriptionResource:
    topic = topic_title(subscription.topic, names)
    more: dict[str, Any] = {}
    if subscription.filter is not None:
        more |= {"FilterPolicy": subscription.filter, "FilterPolicyScope": "MessageAttributes"}
    if subscription.dead_letters is not None:
        more["RedrivePolicy"] = {"deadLetterTargetArn": arn(dead_letters_title(consumer))}
    return sns.SubscriptionResource(
        f"{camel(consumer.key)}To{topic}{digest(consumer.key, subscription.topic)}",
        Protocol="sqs",
        TopicArn=ref(topic),
        Endpoint=arn(queue_title(consumer)),
        RawMessageDelivery=True,
        **more,
    )
