"""The checks of what keeps data: table, bucket, log groups, and the minute's clock."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial

from botocore.exceptions import ClientError

from sqswarm.backends.aws.caller import ClientFactory, error_code
from sqswarm.infra.deployment.drift import Check, Drift
from sqswarm.infra.resources import Topology
from sqswarm.infra.template.storage import STATUS_INDEX, SWEEP_INDEX, TEMPLATE_DAYS
from sqswarm.infra.topology import LOG_RETENTION_DAYS
from sqswarm.schemas.payload import PAYLOAD_DAYS


def storage_checks(topology: Topology, clients: ClientFactory) -> Iterator[tuple[str, Check]]:
    """Yield the checks, each named by its resource."""
    names = topology.names
    yield f"table {names.table}", partial(_table, names.table, clients)
    yield f"bucket {names.bucket}", partial(_bucket, names.bucket, clients)
    clock = topology.unrouted.function.name
    yield f"rule {clock}", partial(_clock, clock, clients)
    yield "log groups", partial(_logs, topology, clients)


def _table(table: str, clients: ClientFactory) -> Iterator[Drift]:
    dynamodb = clients("dynamodb")
    where = f"table {table}"
    described = dynamodb.describe_table(TableName=table)["Table"]
    indexes = {index["IndexName"] for index in described.get("GlobalSecondaryIndexes", [])}
    for index in (SWEEP_INDEX, STATUS_INDEX):
        if index not in indexes:
            yield Drift(resource=where, what=f"has no index {index!r}")
    life = dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    if life.get("TimeToLiveStatus") not in {"ENABLED", "ENABLING"}:
        yield Drift(
            resource=where,
            what="expires nothing",
            mend=partial(
                dynamodb.update_time_to_live,
                TableName=table,
                TimeToLiveSpecification={"Enabled": True, "AttributeName": "ttl"},
            ),
        )
    backups = dynamodb.describe_continuous_backups(TableName=table)
    recovery = backups["ContinuousBackupsDescription"].get("PointInTimeRecoveryDescription", {})
    if recovery.get("PointInTimeRecoveryStatus") not in {"ENABLED", "ENABLING"}:
        yield Drift(
            resource=where,
            what="has no point-in-time recovery",
            vital=False,
            mend=partial(
                dynamodb.update_continuous_backups,
                TableName=table,
                PointInTimeRecoverySpecification={"PointInTimeRecoveryEnabled": True},
            ),
        )


def _bucket(bucket: str, clients: ClientFactory) -> Iterator[Drift]:
    s3 = clients("s3")
    s3.head_bucket(Bucket=bucket)
    expected = {"payloads/": PAYLOAD_DAYS, "templates/": TEMPLATE_DAYS}
    try:
        rules = s3.get_bucket_lifecycle_configuration(Bucket=bucket)["Rules"]
    except ClientError as error:
        if error_code(error) != "NoSuchLifecycleConfiguration":
            raise
        rules = []
    actual = {
        rule.get("Filter", {}).get("Prefix") or rule.get("Prefix"): rule["Expiration"].get("Days")
        for rule in rules
        if "Expiration" in rule
    }
    if any(actual.get(prefix) != days for prefix, days in expected.items()):
        wanted = [
            {
                "ID": prefix.rstrip("/"),
                "Status": "Enabled",
                "Filter": {"Prefix": prefix},
                "Expiration": {"Days": days},
                "AbortIncompleteMultipartUpload": {"DaysAfterInitiation": 1},
            }
            for prefix, days in expected.items()
        ]
        yield Drift(
            resource=f"bucket {bucket}",
            what="does not expire payloads",
            vital=False,
            mend=partial(
                s3.put_bucket_lifecycle_configuration,
                Bucket=bucket,
                LifecycleConfiguration={"Rules": wanted},
            ),
        )


def _clock(rule: str, clients: ClientFactory) -> Iterator[Drift]:
    events = clients("events")
    if events.describe_rule(Name=rule)["State"] != "ENABLED":
        yield Drift(
            resource=f"rule {rule}",
            what="is disabled: nothing wakes housekeeping",
            mend=partial(events.enable_rule, Name=rule),
        )
    if not events.list_targets_by_rule(Rule=rule)["Targets"]:
        yield Drift(resource=f"rule {rule}", what="wakes nothing")


def _logs(topology: Topology, clients: ClientFactory) -> Iterator[Drift]:
    logs = clients("logs")
    prefix = f"/aws/lambda/{topology.names.stack}-"
    pages = logs.get_paginator("describe_log_groups").paginate(logGroupNamePrefix=prefix)
    found = {g["logGroupName"]: g.get("retentionInDays") for p in pages for g in p["logGroups"]}
    for consumer in topology.on_lambda:
        group = consumer.function.log_group
        if found.get(group, LOG_RETENTION_DAYS) != LOG_RETENTION_DAYS:
            yield Drift(
                resource=f"log group {group}",
                what=f"keeps {found[group]} days, not {LOG_RETENTION_DAYS}",
                vital=False,
                mend=partial(
                    logs.put_retention_policy,
                    logGroupName=group,
                    retentionInDays=LOG_RETENTION_DAYS,
                ),
            )
