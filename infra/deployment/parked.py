"""Parked tasks after a deployment: each gets to meet the new code."""

from __future__ import annotations

from collections.abc import Callable

from botocore.exceptions import ClientError

from sqswarm.backends.aws.caller import BlockingCaller, ClientFactory
from sqswarm.backends.runner import BlockingRunner, iterate_straight, run_straight
from sqswarm.dispatcher.connection import Connection, open_connection
from sqswarm.dispatcher.lifecycle.resume import resume_all
from sqswarm.schemas.errors import SwarmError
from sqswarm.schemas.settings import Settings


def operators_connection(settings: Settings, clients: ClientFactory) -> Connection:
    """Return a connection to what is deployed; raises NotDeployed where there is none."""
    caller, runner = BlockingCaller(clients), BlockingRunner()
    return run_straight(open_connection(settings, caller, runner, operator=True))


def resume_parked(
    settings: Settings,
    clients: ClientFactory,
    step: Callable[[str], None] = lambda _: None,
    *,
    missed: bool = False,
) -> tuple[str, ...]:
    """Resume a stage's parked tasks and return what there is to say of it, as notes.

    `missed`: those alone that the end of the last deployment should have resumed and, broken off,
    did not. What goes wrong fails no deployment: the tasks stay parked, and are found again.
    """
    resumed = 0
    try:
        connection = operators_connection(settings, clients)
        catalogue = connection.catalogue
        if missed and not catalogue.deployed_ms:
            return ()
        before_ms = catalogue.deployed_ms if missed else None
        for number in iterate_straight(
            resume_all(connection, catalogue.names, before_ms=before_ms)
        ):
            resumed += number
            step(f"resuming parked tasks: {resumed:,}")
    except (SwarmError, ClientError) as error:
        return (f"parked tasks were not all resumed: {error} (fix: deploy again)",)
    if not resumed:
        return ()
    tasks = "1 parked task goes" if resumed == 1 else f"{resumed:,} parked tasks go"
    return (f"{tasks} on; what does not fit is parked again (`sqswarm list --status parked`)",)
