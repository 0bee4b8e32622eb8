"""Stats: how agents do, read from what the swarm keeps anyway: activity, queues, ledger.

Where a record and the activity differ the record is right, so failures come from the index of
failed records: those too that no worker has written.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace

from sqswarm.backends.ports.store import Index
from sqswarm.dispatcher.connection import Connection
from sqswarm.dispatcher.pause import read_paused
from sqswarm.schemas.activity import Began, Ended, activity_partition, entries_of, moment, moment_ms
from sqswarm.schemas.agent_spec import Durability
from sqswarm.schemas.catalogue import CatalogueEntry
from sqswarm.schemas.ledger import LedgerEntry, day_of
from sqswarm.schemas.ledger import entries_of as ledger_partition
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.protocol import listed_under
from sqswarm.schemas.stats import AgentStats, Backlog, Quantiles, Spent, Stats
from sqswarm.schemas.task import task_of
from sqswarm.schemas.writes import Item, Key

ALL = "all"
"""What the sum of a stage is called, where an agent's name would stand."""

_A_PAGE = 200
_PAGES = 15
"""What one reading takes of an agent: up to 3,000 batches, or failures; further back it stops."""
_DAY_MS = 24 * 3600 * 1000


@dataclass(kw_only=True)
class _Seen:
    """What an agent did since `from_ms`, which is later than asked for where that was too much."""

    from_ms: int
    started: int = 0
    ended: dict[str, Ended] = field(default_factory=dict)
    """Ends by task: an entry may be written twice."""
    failures: dict[str, str] = field(default_factory=dict)
    """Error types by task."""

    def stats(self, agent: str, *, now_ms: int, backlog: Backlog, spent: Spent) -> AgentStats:
        """Return it in numbers."""
        ended = self.ended.values()
        completed = {
            one.task_id for one in ended if one.status is Status.COMPLETED
        } - self.failures.keys()
        return AgentStats(
            agent=agent,
            seconds=(now_ms - self.from_ms) / 1000,
            started=self.started,
            completed=len(completed),
            failed=len(self.failures),
            retried=sum(one.attempt - 1 for one in ended),
            failures=dict(Counter(self.failures.values()).most_common()),
            wait=Quantiles.of(one.wait_ms for one in ended if one.attempt == 1),
            run=Quantiles.of(one.run_ms for one in ended),
            backlog=backlog,
            spent=spent,
        )


async def stats(
    connection: Connection, *, since_s: float, agents: Collection[str] | None = None
) -> Stats:
    """Return the numbers of the last `since_s` seconds: of these agents (default: all), and sums.

    They are of all principals' tasks together. Raises UnknownAgent.
    """
    now_ms = connection.runner.now_ms()
    wanted = tuple(connection.catalogue.agents if agents is None else agents)
    entries = [connection.catalogue.agent(name) for name in wanted]
    from_ms = now_ms - round(1000 * since_s)
    gather = connection.runner.gather
    seen = await gather([_seen(connection, entry, from_ms) for entry in entries])
    spent = await gather([_spent(connection, entry.name, from_ms, now_ms) for entry in entries])
    queues = await backlogs(connection, {one.name: one.ordered for one in entries})
    paused = await read_paused(connection)
    each = tuple(
        replace(
            one.stats(entry.name, now_ms=now_ms, backlog=queues[entry.name], spent=cost),
            paused=paused.get(entry.name),
        )
        for entry, one, cost in zip(entries, seen, spent, strict=True)
    )
    whole = _together(seen, from_ms).stats(
        ALL, now_ms=now_ms, backlog=Backlog.sum(list(queues.values())), spent=Spent.sum(spent)
    )
    return Stats(
        stage=connection.names.stage, at_ms=now_ms, since_s=since_s, agents=each, total=whole
    )


async def backlogs(connection: Connection, ordered: Mapping[str, bool]) -> dict[str, Backlog]:
    """Return what lies in queues, by whose they are; `ordered` tells whose are FIFO.

    Beside the agents there is `unrouted`.
    """
    names = connection.names
    queues = {one: names.queue(one, ordered=fifo) for one, fifo in ordered.items()}
    letters = {one: names.dead_letter_queue(one, ordered=fifo) for one, fifo in ordered.items()}
    wanted = [*queues.values(), *letters.values()]
    depths = dict(
        zip(
            wanted,
            await connection.runner.gather([connection.bus.depth(queue) for queue in wanted]),
            strict=True,
        )
    )
    ages = await connection.bus.oldest_s(list(queues.values()))
    found: dict[str, Backlog] = {}
    for one, queue in queues.items():
        depth = depths[queue]
        found[one] = Backlog(
            waiting=depth.waiting,
            in_flight=depth.in_flight,
            delayed=depth.delayed,
            dead_letters=depths[letters[one]].total,
            # An age that was measured before the queue was emptied is nobody's.
            oldest_s=ages.get(queue) if depth.total else None,
        )
    return found


async def _seen(connection: Connection, entry: CatalogueEntry, from_ms: int) -> _Seen:
    agent, seen = entry.name, _Seen(from_ms=from_ms)
    cut, items = await _newest(
        connection, Index.TABLE, activity_partition(agent), since=moment(from_ms)
    )
    if cut:
        seen.from_ms = moment_ms(items[-1]["sk"])
    begun: set[str] = set()
    for told in (told for item in items for told in entries_of(item)):
        if isinstance(told, Began):
            seen.started += 1
            begun.add(told.task_id)
        else:
            seen.ended[told.task_id] = told
    if entry.durability is Durability.LEAN:  # whose end tells of its begin too
        seen.started += len(seen.ended.keys() - begun)
    failed = listed_under(Status.FAILED, agent)
    _, items = await _newest(connection, Index.STATUS, failed, since=moment(seen.from_ms))
    for item in items:
        _, task_id = task_of(Key(pk=item["pk"], sk=item["sk"]))
        seen.failures[task_id] = item.get("error_type") or "error"
    return seen


async def _newest(
    connection: Connection, index: Index, partition: str, *, since: str
) -> tuple[bool, list[Item]]:
    """Return a partition's items from `since` on, the newest first; True where some were left."""
    _, order = index.keys
    found: dict[tuple[str, str], Item] = {}
    until: str | None = None
    for _ in range(_PAGES):
        page = await connection.store.newest(index, partition, until=until, limit=_A_PAGE)
        before = len(found)
        found |= {(one["pk"], one["sk"]): one for one in page.items if one[order] >= since}
        if not page.more or len(found) == before or page.items[-1][order] < since:
            return False, list(found.values())
        until = page.items[-1][order]  # what stands there is read once more
    return True, list(found.values())


def _together(seen: Sequence[_Seen], from_ms: int) -> _Seen:
    """Return what all agents did: since the time from which on everything of all was read."""
    whole = _Seen(from_ms=max((one.from_ms for one in seen), default=from_ms))
    for one in seen:
        whole.started += one.started
        whole.ended |= one.ended
        whole.failures |= one.failures
    return whole


async def _spent(connection: Connection, agent: str, from_ms: int, now_ms: int) -> Spent:
    """Return what an agent's calls of models cost: the ledger has a partition a day."""
    days = sorted({day_of(ms) for ms in (*range(from_ms, now_ms, _DAY_MS), now_ms)})
    groups = await connection.runner.gather(
        [connection.store.read_group(ledger_partition(agent, day)) for day in days]
    )
    entries = [LedgerEntry.from_item(item) for items in groups for item in items]
    return Spent.sum(
        Spent(calls=1, tokens=one.tokens, micro_usd=one.micro_usd)
        for one in entries
        if one.at_ms >= from_ms
    )
