"""What every verb of the dispatcher works with: the stage's ports, its catalogue and who asks."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from sqswarm.backends.aws.caller import AwsCaller
from sqswarm.backends.aws.connect import backends, identify
from sqswarm.backends.ports.blobs import Blobs
from sqswarm.backends.ports.bus import Bus
from sqswarm.backends.ports.store import Store
from sqswarm.backends.runner import Runner
from sqswarm.dispatcher.validate import Validator
from sqswarm.schemas.catalogue import CATALOGUE_KEY, Catalogue, CatalogueEntry
from sqswarm.schemas.errors import NotDeployed
from sqswarm.schemas.join import event_schema
from sqswarm.schemas.naming import Names
from sqswarm.schemas.settings import Settings

DUE_GRACE_MS = 60_000
"""How long a created task may wait before housekeeping publishes it again, at first."""


CHILD_TTL_S = 400 * 24 * 3600


def expires_s(now_ms: int, ttl_s: int, *, child: bool) -> int:
    """Return when a record that ends now may be forgotten (Unix seconds).

    A child's is kept for as long as its parent may sleep and then look at its result again.
    """
    return now_ms // 1000 + (max(ttl_s, CHILD_TTL_S) if child else ttl_s)


UNREAD = Catalogue(agents={})

_KNOWN_TASKS = 10_000


@dataclass(kw_only=True)
class Connection:
    """The dispatcher's surroundings. `operator` sees every principal's tasks.

    A `worker` is an agent's: it speaks to other agents by their queues, since no agent's role may
    publish, and leaves their records alone but for what children and parents owe one another.
    The catalogue is UNREAD where a worker has had no need of it yet.
    """

    names: Names
    store: Store
    bus: Bus
    blobs: Blobs
    runner: Runner
    principal: str
    operator: bool = False
    worker: bool = False
    ttl_s: int
    catalogue: Catalogue = UNREAD
    _validators: dict[str, Validator] = field(default_factory=dict)
    _agents: dict[str, str] = field(default_factory=dict)
    ages: dict[str, tuple[int, int]] = field(default_factory=dict)
    """By queue: when its oldest message was looked at last (Unix ms), and its age (seconds)."""

    async def with_catalogue(self, *, fresh: bool = False) -> Connection:
        """Return this connection with its catalogue read, once, and again where it must be `fresh`.

        Raises NotDeployed where the stage has none.
        """
        if fresh or self.catalogue is UNREAD:
            self.catalogue = await read_catalogue(self.blobs, self.names)
            if fresh:
                self._validators = {}
        return self

    def remember(self, task_id: str, agent: str) -> None:
        """Note whose task this is: the next one to name it by its id alone need not ask for that.

        The last 10,000 are kept, by all connections that were made from this one.
        """
        self._agents[task_id] = agent
        while len(self._agents) > _KNOWN_TASKS:
            self._agents.pop(next(iter(self._agents)), None)

    def agents_of(self, task_id: str, agent: str | None = None) -> tuple[str, ...]:
        """Return the agents that a task may be of: one where it is given or known, else all."""
        known = agent or self._agents.get(task_id)
        return self.catalogue.names if known is None else (known,)

    def validator(self, entry: CatalogueEntry, *, topic: str | None = None) -> Validator:
        """Return the compiled validator of an agent's arguments, or of what it joins of a topic."""
        key, wanted = entry.name, entry
        if entry.joins is not None and topic in entry.joins.topics:
            key = f"{entry.name}#{topic}"
            schema = event_schema(entry.input_schema, topic, entry.joins)
            wanted = replace(entry, input_schema=schema)
        found = self._validators.get(key)
        if found is None:
            found = self._validators[key] = Validator(wanted)
        return found

    def expires_s(self, *, child: bool = False) -> int:
        """Return when a record that ends now may be forgotten (Unix seconds)."""
        return expires_s(self.runner.now_ms(), self.ttl_s, child=child)


async def open_connection(
    settings: Settings, caller: AwsCaller, runner: Runner, *, operator: bool
) -> Connection:
    """Return the connection of the stage that `settings` name.

    Raises Unreachable where nothing answers, NotDeployed where the stage has no swarm.
    """
    known = await identify(settings, caller)
    connection = connect(known, caller, runner, principal=str(known.principal), operator=operator)
    return await connection.with_catalogue()


def connect(
    settings: Settings,
    caller: AwsCaller,
    runner: Runner,
    *,
    principal: str,
    operator: bool,
    worker: bool = False,
) -> Connection:
    """Return a connection for settings whose account is known; nothing is called yet."""
    ports = backends(settings, caller, runner)
    return Connection(
        names=ports.names,
        store=ports.store,
        bus=ports.bus,
        blobs=ports.blobs,
        runner=runner,
        principal=principal,
        operator=operator,
        worker=worker,
        ttl_s=settings.ttl_s,
    )


async def read_catalogue(blobs: Blobs, names: Names) -> Catalogue:
    """Return the deployed catalogue; raises NotDeployed where there is none."""
    try:
        data = await blobs.get(blobs.address(CATALOGUE_KEY))
    except NotDeployed as error:
        raise NotDeployed(f"the stage {names.stage!r} is not deployed here") from error
    if data is None:
        message = (
            f"the stage {names.stage!r} has no catalogue that can be read: its deployment did not "
            "finish, or these credentials may not read it"
        )
        raise NotDeployed(message)
    return Catalogue.load(data)
