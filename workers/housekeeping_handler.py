"""The Lambda handler of the housekeeping function: a rule every minute, and unrouted messages."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from backends.caller import ThreadedCaller
from backends.connect import client_factory
from backends.runner import AsyncRunner
from dispatcher.desk import open_desk
from schemas.json import JsonObject
from schemas.settings import Settings
from workers.housekeeping import Housekeeper
from workers.lambda_event import delivery_of
from workers.log import Log


async def keep_house(event: JsonObject, environment: dict[str, str]) -> JsonObject:
    """Put unrouted messages aside (an SQS event), or sweep once (anything else).

    The catalogue is read every time: agents come and go between rounds.
    """
    settings = Settings.from_env(environment)
    caller = ThreadedCaller(client_factory(settings))
    desk = await open_desk(settings, caller, AsyncRunner(), operator=True)
    housekeeper = Housekeeper(desk, Log().bind(agent="housekeeping"))
    if "Records" in event:
        deliveries = [delivery_of(record) for record in event["Records"]]
        keep = await housekeeper.put_unrouted_aside(deliveries)
        return {"batchItemFailures": [{"itemIdentifier": id_} for id_ in keep]}
    return vars(await housekeeper.sweep())


def handle(event: JsonObject, context: Any) -> JsonObject:
    """Handle one Lambda invocation."""
    del context
    return asyncio.run(keep_house(event, dict(os.environ)))
