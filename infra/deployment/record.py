"""The bucket's own objects, and the record of a deployment: written when all of it stood."""

from __future__ import annotations

from dataclasses import asdict, dataclass, replace
from typing import TYPE_CHECKING, Any

from botocore.exceptions import BotoCoreError, ClientError

from sqswarm.backends.aws.caller import error_code, translated
from sqswarm.schemas.catalogue import CATALOGUE_KEY, Catalogue
from sqswarm.schemas.errors import NotDeployed
from sqswarm.schemas.json import dumps, loads
from sqswarm.schemas.paused import PAUSED_KEY, Paused, load_paused

if TYPE_CHECKING:
    from sqswarm.infra.plan import Plan
    from sqswarm.infra.template.parts import Places

RECORD_KEY = "deployment.json"

_NO_OBJECT = frozenset({"NoSuchKey", "NoSuchBucket", "404", "NotFound"})


@dataclass(frozen=True, kw_only=True)
class Record:
    """`template` is the digest of the template, `code_key` where its code lies in the bucket.

    `stack_code_key` is the key the stack itself knows: on an emulator code changes go round it.
    `places` has the agents of each of the stage's stacks, `parts` the digests of the templates of
    those beside its own.
    """

    template: str
    code_key: str
    stack_code_key: str
    catalogue: str
    places: Places = ()
    parts: tuple[str, ...] = ()


def read_record(s3: Any, bucket: str) -> Record | None:
    """Return the last finished deployment's record, None where there is none that we can read."""
    data = read_object(s3, bucket, RECORD_KEY)
    try:
        if data is None:
            return None
        record = Record(**loads(data))
        places = tuple(tuple(names) for names in record.places)
        return replace(record, places=places, parts=tuple(record.parts))
    except (ValueError, TypeError):  # of another version of ours: deploy as if for the first time
        return None


def write_record(s3: Any, bucket: str, record: Record) -> None:
    """Write the record; the last act of a deployment."""
    write_object(s3, bucket, RECORD_KEY, dumps(asdict(record)).encode())


def read_object(s3: Any, bucket: str, key: str) -> bytes | None:
    """Return an object, None where there is none."""
    try:
        body: bytes = s3.get_object(Bucket=bucket, Key=key)["Body"].read()
    except (ClientError, BotoCoreError) as error:
        if isinstance(error, ClientError) and error_code(error) in _NO_OBJECT:
            return None
        raise translated(error, "s3") from error
    return body


def read_paused(s3: Any, bucket: str) -> Paused:
    """Return which agents of a stage are paused; none are where there is no stage."""
    return load_paused(read_object(s3, bucket, PAUSED_KEY))


def as_deployed(plan: Plan, s3: Any, bucket: str) -> Plan:
    """Return a plan for what stands: its paused agents stay paused, and each where it is."""
    record = read_record(s3, bucket)
    standing = () if record is None else record.places or _in_one_stack(s3, bucket)
    return plan.as_deployed(paused=read_paused(s3, bucket), standing=standing)


def _in_one_stack(s3: Any, bucket: str) -> Places:
    """Return the places of a stage that was deployed before there were several stacks."""
    catalogue = read_object(s3, bucket, CATALOGUE_KEY)
    return () if catalogue is None else (tuple(Catalogue.load(catalogue).agents),)


def write_object(s3: Any, bucket: str, key: str, data: bytes) -> None:
    """Write an object; raises NotDeployed where there is no bucket."""
    try:
        s3.put_object(Bucket=bucket, Key=key, Body=data)
    except (ClientError, BotoCoreError) as error:
        raise translated(error, "s3") from error


def object_exists(s3: Any, bucket: str, key: str) -> bool:
    """Return whether there is such an object."""
    try:
        s3.head_object(Bucket=bucket, Key=key)
    except (ClientError, BotoCoreError) as error:
        if isinstance(error, ClientError) and error_code(error) in _NO_OBJECT:
            return False
        raise translated(error, "s3") from error
    return True


def prune(s3: Any, bucket: str, *, keep: set[str]) -> None:
    """Delete code archives other than `keep`: a rollback needs the one before, nothing older."""
    try:
        listed = s3.list_objects_v2(Bucket=bucket, Prefix="code/").get("Contents", [])
        old = [{"Key": entry["Key"]} for entry in listed if entry["Key"] not in keep]
        if old:
            s3.delete_objects(Bucket=bucket, Delete={"Objects": old, "Quiet": True})
    except (ClientError, BotoCoreError) as error:
        raise translated(error, "s3") from error


def empty(s3: Any, bucket: str) -> int:
    """Delete every object of the bucket and return how many there were; 0 where it is gone."""
    deleted = 0
    try:
        while listed := s3.list_objects_v2(Bucket=bucket).get("Contents", []):
            objects = [{"Key": entry["Key"]} for entry in listed]
            s3.delete_objects(Bucket=bucket, Delete={"Objects": objects, "Quiet": True})
            deleted += len(objects)
    except (ClientError, BotoCoreError) as error:
        problem = translated(error, "s3")
        if isinstance(problem, NotDeployed):
            return deleted
        raise problem from error
    return deleted
