"""Leftovers: what an emulator's stack update forgot to delete."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Any

from botocore.exceptions import ClientError

from sqswarm.backends.aws.caller import ClientFactory
from sqswarm.infra.deployment.stack import StackResource

Delete = Callable[[Any, str], object]


def _delete_topic(sns: Any, arn: str) -> object:
    sns.get_topic_attributes(TopicArn=arn)  # deleting a topic never fails, so ask first
    return sns.delete_topic(TopicArn=arn)


_DELETES: dict[str, tuple[str, Delete]] = {
    "AWS::SQS::Queue": ("sqs", lambda sqs, url: sqs.delete_queue(QueueUrl=url)),
    "AWS::SNS::Topic": ("sns", _delete_topic),
    "AWS::SNS::Subscription": ("sns", lambda sns, arn: sns.unsubscribe(SubscriptionArn=arn)),
    "AWS::Lambda::Function": ("lambda", lambda api, name: api.delete_function(FunctionName=name)),
    "AWS::Lambda::EventSourceMapping": (
        "lambda",
        lambda api, uuid: api.delete_event_source_mapping(UUID=uuid),
    ),
    "AWS::DynamoDB::Table": ("dynamodb", lambda api, name: api.delete_table(TableName=name)),
    "AWS::S3::Bucket": ("s3", lambda s3, name: s3.delete_bucket(Bucket=name)),
    "AWS::Logs::LogGroup": ("logs", lambda logs, name: logs.delete_log_group(logGroupName=name)),
}
"""What would go on working, or block the name, if it stayed. A role or an alarm does neither."""


def remove_leftovers(
    gone: Iterable[StackResource], clients: ClientFactory
) -> Iterator[StackResource]:
    """Delete what is still there of resources that the stack no longer lists; yield each."""
    for resource in gone:
        if resource.kind not in _DELETES or not resource.physical_id:
            continue
        service, delete = _DELETES[resource.kind]
        try:
            delete(clients(service), resource.physical_id)
        except ClientError:
            continue  # it is gone, as it should be
        yield resource
