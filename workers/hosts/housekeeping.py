"""The Lambda handler of the housekeeping function: rules, and messages that reach no agent."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from sqswarm.backends.aws.bus import delivery_of
from sqswarm.backends.aws.caller import ThreadedCaller
from sqswarm.backends.aws.connect import client_factory
from sqswarm.backends.log import Log, configure_logging
from sqswarm.backends.runner import AsyncRunner
from sqswarm.dispatcher.connection import Connection, open_connection
from sqswarm.dispatcher.lifecycle.dead_letter_sweep import DeadLetterSweeper, dead_letter_unrouted
from sqswarm.dispatcher.lifecycle.sweep import Housekeeper
from sqswarm.dispatcher.schedule import submit_scheduled
from sqswarm.dispatcher.tracing import flush_traces, start_tracing
from sqswarm.schemas.json import JsonObject
from sqswarm.schemas.settings import START_CHECK, Settings
from sqswarm.workers.metrics import add_metrics, emf_metrics


async def handle_event(event: JsonObject, environment: dict[str, str]) -> JsonObject:
    """Do what the event says.

    An SQS event: put unrouted messages aside. One with `schedule` (an agent's name): submit what
    its schedule `number` asks for at `time`. Anything else: sweep once, then look through the
    dead letters. The catalogue is read every time: agents come and go between rounds.
    """
    configure_logging(environment)
    log = Log.of_agent("housekeeping")
    start_tracing(environment, log=log)
    try:
        return await _handled(event, Settings.from_env(environment), log)
    finally:
        await flush_traces()


async def _handled(event: JsonObject, settings: Settings, log: Log) -> JsonObject:
    caller = ThreadedCaller(client_factory(settings))
    connection = await open_connection(settings, caller, AsyncRunner(), operator=True)
    if "Records" in event:
        deliveries = [delivery_of(record) for record in event["Records"]]
        keep = await dead_letter_unrouted(connection, log, deliveries)
        return {"batchItemFailures": [{"itemIdentifier": id_} for id_ in keep]}
    if "schedule" in event:
        made = await submit_scheduled(
            connection, event["schedule"], int(event["number"]), at=str(event["time"])
        )
        log.info("schedule.submitted", task_id=made.task_id, to=made.agent)
        return {"taskId": made.task_id}
    return await run_housekeeping(connection, log)


async def run_housekeeping(connection: Connection, log: Log) -> JsonObject:
    """Do one round of housekeeping: the sweep, then the dead letters.

    What it has failed stands in metrics then, a line an agent, where this process makes any.
    """
    housekeeper = Housekeeper(connection, log)
    try:
        swept = await housekeeper.sweep()
        letters = await DeadLetterSweeper(connection, log, housekeeper).sweep()
    finally:
        emf_metrics(connection.names.stage).flush(now_ms=connection.runner.now_ms())
    return {**vars(swept), "letters": letters}


def handle(event: JsonObject, context: Any) -> JsonObject:
    """Handle one Lambda invocation."""
    del context
    if event == START_CHECK:
        return {"started": True}
    add_metrics(Settings.from_env(os.environ).stage, os.environ)
    return asyncio.run(handle_event(event, dict(os.environ)))
