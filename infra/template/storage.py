"""The table and the bucket: the two things of a stage that keep data.

Both go with the stack: `sqswarm destroy` says so before it acts. To keep them, copy the table
(point-in-time recovery is on) and the bucket first.
"""

from __future__ import annotations

from collections.abc import Iterator

from troposphere import AWSObject, dynamodb, s3

from sqswarm.infra.template.logical import arn, ref, text
from sqswarm.schemas.naming import Names
from sqswarm.schemas.payload import PAYLOAD_DAYS

TABLE = "Table"
BUCKET = "Bucket"
SWEEP_INDEX = "sweep"
STATUS_INDEX = "status"

TEMPLATE_DAYS = 30
"""Templates are kept for a look back only. Code does not expire: each deployment prunes it."""


def table(names: Names) -> dynamodb.Table:
    """Return the task table with its sparse indexes: what is due, and what to list."""
    return dynamodb.Table(
        TABLE,
        TableName=names.table,
        BillingMode="PAY_PER_REQUEST",
        AttributeDefinitions=[
            dynamodb.AttributeDefinition(AttributeName="pk", AttributeType="S"),
            dynamodb.AttributeDefinition(AttributeName="sk", AttributeType="S"),
            dynamodb.AttributeDefinition(AttributeName="due_shard", AttributeType="S"),
            dynamodb.AttributeDefinition(AttributeName="due_at", AttributeType="N"),
            dynamodb.AttributeDefinition(AttributeName="listed", AttributeType="S"),
            dynamodb.AttributeDefinition(AttributeName="listed_at", AttributeType="S"),
        ],
        KeySchema=_keys("pk", "sk"),
        GlobalSecondaryIndexes=[
            dynamodb.GlobalSecondaryIndex(
                IndexName=SWEEP_INDEX,
                KeySchema=_keys("due_shard", "due_at"),
                Projection=dynamodb.Projection(ProjectionType="KEYS_ONLY"),
            ),
            dynamodb.GlobalSecondaryIndex(
                IndexName=STATUS_INDEX,
                KeySchema=_keys("listed", "listed_at"),
                Projection=dynamodb.Projection(
                    ProjectionType="INCLUDE",
                    NonKeyAttributes=["principal", "error_type", "tags"],
                ),
            ),
        ],
        TimeToLiveSpecification=dynamodb.TimeToLiveSpecification(AttributeName="ttl", Enabled=True),
        PointInTimeRecoverySpecification=dynamodb.PointInTimeRecoverySpecification(
            PointInTimeRecoveryEnabled=True
        ),
        SSESpecification=dynamodb.SSESpecification(SSEEnabled=True),
        DeletionPolicy="Delete",
        UpdateReplacePolicy="Retain",
    )


def _keys(partition: str, sort: str) -> list[dynamodb.KeySchema]:
    return [
        dynamodb.KeySchema(AttributeName=partition, KeyType="HASH"),
        dynamodb.KeySchema(AttributeName=sort, KeyType="RANGE"),
    ]


def bucket(names: Names) -> Iterator[AWSObject]:
    """Yield the bucket of claim checks and code, and its policy."""
    yield s3.Bucket(
        BUCKET,
        BucketName=text(names.bucket),
        BucketEncryption=s3.BucketEncryption(
            ServerSideEncryptionConfiguration=[
                s3.ServerSideEncryptionRule(
                    ServerSideEncryptionByDefault=s3.ServerSideEncryptionByDefault(
                        SSEAlgorithm="AES256"
                    )
                )
            ]
        ),
        PublicAccessBlockConfiguration=s3.PublicAccessBlockConfiguration(
            BlockPublicAcls=True,
            BlockPublicPolicy=True,
            IgnorePublicAcls=True,
            RestrictPublicBuckets=True,
        ),
        OwnershipControls=s3.OwnershipControls(
            Rules=[s3.OwnershipControlsRule(ObjectOwnership="BucketOwnerEnforced")]
        ),
        LifecycleConfiguration=s3.LifecycleConfiguration(
            Rules=[s3.LifecycleRule(**rule) for rule in lifecycle_rules()]
        ),
        DeletionPolicy="Delete",
        UpdateReplacePolicy="Retain",
    )
    yield s3.BucketPolicy(
        f"{BUCKET}Policy",
        Bucket=ref(BUCKET),
        PolicyDocument={
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Sid": "OnlyOverTls",
                    "Effect": "Deny",
                    "Principal": "*",
                    "Action": "s3:*",
                    "Resource": [arn(BUCKET), text(f"{bucket_arn(names)}/*")],
                    "Condition": {"Bool": {"aws:SecureTransport": "false"}},
                }
            ],
        },
    )


def lifecycle_rules() -> list[dict[str, object]]:
    """Return the bucket's expiry rules in CloudFormation's words."""
    aborts = {"DaysAfterInitiation": 1}
    return [
        {
            "Id": "payloads",
            "Status": "Enabled",
            "Prefix": "payloads/",
            "ExpirationInDays": PAYLOAD_DAYS,
            "AbortIncompleteMultipartUpload": s3.AbortIncompleteMultipartUpload(**aborts),
        },
        {
            "Id": "templates",
            "Status": "Enabled",
            "Prefix": "templates/",
            "ExpirationInDays": TEMPLATE_DAYS,
            "AbortIncompleteMultipartUpload": s3.AbortIncompleteMultipartUpload(**aborts),
        },
    ]


def bucket_arn(names: Names) -> str:
    """Return the bucket's ARN."""
    return f"arn:{names.partition}:s3:::{names.bucket}"


def table_arn(names: Names) -> str:
    """Return the table's ARN."""
    return f"arn:{names.partition}:dynamodb:{names.region}:{names.account}:table/{names.table}"
