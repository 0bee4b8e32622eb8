"""Many tasks put in a stage's table as if they had run: a console has to bear them."""

from concurrent.futures import ThreadPoolExecutor

import boto3

from sqswarm.backends.aws.connect import settings_from_environment
from sqswarm.schemas import protocol
from sqswarm.schemas.activity import Ended, activity_write
from sqswarm.schemas.agent_spec import Durability
from sqswarm.schemas.ids import derive_task_id
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.payload import Payload
from sqswarm.schemas.protocol import Ending
from sqswarm.schemas.results import error_object
from sqswarm.schemas.task import TaskRecord

_BATCH = 10
_WRITERS = 4
_EVERY = 100
"""One in so many has failed."""


def crowd(names, agent, count, *, now_ms, spread_ms=3_600_000, tags=None):
    """Put `count` tasks of `agent` in the table, spread over the time until `now_ms`.

    Returns the id of the newest failed one.
    """
    ids = [derive_task_id("crowd", str(n), at_ms=now_ms - spread_ms) for n in range(count)]

    def items(first):
        entries = []
        for n in range(first, min(first + _BATCH, count)):
            at_ms = now_ms - spread_ms + n * spread_ms // count
            failed = n % _EVERY == _EVERY - 1
            record = TaskRecord(
                task_id=ids[n],
                agent=agent,
                principal=f"arn:aws:iam::{names.account}:root",
                status=Status.WORKING,
                v="v",
                durability=Durability.STANDARD,
                attempt=1,
                created_ms=at_ms - 1500,
                updated_ms=at_ms,
                arguments=Payload(inline='{"text":"  "}'),
            )
            error = error_object("Fail", f"task {n} has no text") if failed else None
            result = None if failed else Payload(inline='{"text":"x","words":1}')
            ending = Ending(error=error, result=result)
            write = protocol.settle_lean(record, ending, now_ms=at_ms, expires_s=now_ms // 1000)
            kept = {one.name: one.value for one in write.changes if hasattr(one, "value")}
            yield {
                **kept,
                "pk": write.key.pk,
                "sk": write.key.sk,
                "ttl": now_ms // 1000 + 86_400,
            }
            entries.append(
                Ended(
                    task_id=ids[n],
                    principal=record.principal,
                    status=Status.FAILED if failed else Status.COMPLETED,
                    error_type="Fail" if failed else None,
                    at_ms=at_ms,
                    wait_ms=200 + n % 300,
                    run_ms=1000 + n % 700,
                    attempt=1,
                )
            )
        told = activity_write(
            agent,
            entries,
            at_ms=entries[-1].at_ms,
            random=f"{first:08d}",
            expires_s=now_ms // 1000 + 86_400,
        )
        kept = {one.name: one.value for one in told.changes}
        yield {**kept, "pk": told.key.pk, "sk": told.key.sk}

    def write(firsts):
        table = boto3.resource("dynamodb", **_options()).Table(names.table)
        with table.batch_writer() as batch:
            for first in firsts:
                for item in items(first):
                    batch.put_item(Item=item)

    firsts = range(0, count, _BATCH)
    with ThreadPoolExecutor(_WRITERS) as pool:
        list(pool.map(write, [firsts[n::_WRITERS] for n in range(_WRITERS)]))
    return ids[count - count % _EVERY - 1]


def _options():
    settings = settings_from_environment()
    return {"endpoint_url": settings.endpoint_url, "region_name": settings.region}
