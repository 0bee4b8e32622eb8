"""Release: send messages to what is deployed, where versions of the functions are kept."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from botocore.exceptions import ClientError

from sqswarm.backends.aws.caller import ClientFactory
from sqswarm.infra.deployment import versions
from sqswarm.infra.deployment.canary import Canary, bake
from sqswarm.infra.deployment.parked import operators_connection
from sqswarm.infra.deployment.versions import Live
from sqswarm.infra.resources import Topology
from sqswarm.schemas.errors import SwarmError
from sqswarm.schemas.settings import Settings

LOOK_LOCAL_S = 1.0
LOOK_AWS_S = 15.0
"""How often the tasks of a canary are looked at, seconds."""


class Release:
    """The last step of a deployment; does nothing where no versions are kept."""

    def __init__(
        self,
        settings: Settings,
        topology: Topology,
        clients: ClientFactory,
        step: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Release what the functions of `topology` are now."""
        self._settings = settings
        self._topology = topology
        self._clients = clients
        self._step = step

    def go_live(self, canary: Canary | None = None) -> tuple[str, ...]:
        """Publish the agents' functions and send their messages to that; return notes.

        With `canary` a share of them first, for a while: raises DeployFailed where a version fails,
        and then all is as before.
        """
        if not self._topology.versioned:
            return ()
        self._step("publishing the functions")
        made = versions.publish(self._topology, self._clients)
        now = versions.live(self._topology, self._clients)
        told = () if canary is None else self._bake(canary, made, now)
        versions.move(self._topology, self._clients, made)
        return told

    def _bake(
        self, canary: Canary, made: Mapping[str, str], now: Mapping[str, Live]
    ) -> tuple[str, ...]:
        both = {
            agent: (version, now[agent].version)
            for agent, version in made.items()
            if now[agent].version not in {version, versions.LATEST}
        }
        if not both:
            return ("there was nothing for a canary to try: no function has changed",)
        new = {agent: version for agent, (version, _) in both.items()}
        old = {agent: version for agent, (_, version) in both.items()}
        shares = {agent: {version: canary.share} for agent, version in new.items()}
        try:
            versions.move(self._topology, self._clients, old, shares=shares)
            every_s = LOOK_LOCAL_S if self._settings.local else LOOK_AWS_S
            connection = operators_connection(self._settings, self._clients)
            return bake(connection, both, canary, step=self._step, look_every_s=every_s)
        except BaseException:
            self._step("taking the canary back")
            versions.move(self._topology, self._clients, old)
            versions.delete(self._topology, self._clients, new)
            raise

    def delete_unneeded(self) -> tuple[str, ...]:
        """Delete the versions that no task needs any more; return notes."""
        if not self._topology.versioned:
            return ()
        try:
            connection = operators_connection(self._settings, self._clients)
            return versions.delete_unneeded(self._topology, self._clients, connection)
        except (SwarmError, ClientError) as error:
            return (f"old versions were not looked through: {error}",)
