"""What the console's pages of care show: failed tasks with dead letters, sessions, costs."""

import time
from datetime import UTC, datetime, timedelta

from sqswarm.backends.runner import run_straight
from sqswarm.schemas.ids import new_task_id
from sqswarm.schemas.ledger import LedgerEntry
from sqswarm.schemas.pricing import Tokens
from sqswarm.schemas.writes import Set, Write

HOSTILE_MODEL = "<img src=x onerror='window.hacked=1'>"


def until(true, *, timeout_s=180):
    deadline = time.monotonic() + timeout_s
    while not (found := true()):
        assert time.monotonic() < deadline
        time.sleep(0.2)
    return found


def fail(swarm, count):
    """Submit tasks that fail, and wait for their dead letters."""
    before = swarm.dead_letters("brittle", limit=1).total
    tasks = [swarm.submit("brittle", n=n) for n in range(count)]
    for _ in swarm.wait(tasks, timeout=180):
        pass
    until(lambda: swarm.dead_letters("brittle", limit=1).total >= before + count)
    return tasks


def spend(swarm):
    """Write a week of calls into the ledger, as Claude agents do."""
    store = swarm._swarm._connection.store
    now = datetime.now(UTC)
    calls = [
        (days, agent, model, 1000 * (1 + days) * size)
        for days in range(7)
        for agent, size in (("summarise", 37), ("report", 90), ("chat", 5))
        for model in ("claude-sonnet-5-5", "claude-haiku-5")
    ]
    calls.append((0, "chat", HOSTILE_MODEL, 1_500_000))
    for number, (days, agent, model, micro_usd) in enumerate(calls):
        entry = LedgerEntry(
            day=(now - timedelta(days=days)).date().isoformat(),
            agent=agent,
            model=model,
            principal=swarm.principal,
            task_id=new_task_id(int(now.timestamp() * 1000), lambda bits, n=number: n % 2**bits),
            call=f"call-{number}",
            tokens=Tokens(input=1200, cache_write=10, cache_read=800, output=300),
            micro_usd=micro_usd,
            at_ms=int((now - timedelta(days=days)).timestamp() * 1000),
        )
        tokens = entry.tokens
        fields = {
            "model": entry.model, "principal": entry.principal, "input": tokens.input,
            "cache_write": tokens.cache_write, "cache_read": tokens.cache_read,
            "output": tokens.output, "micro_usd": micro_usd, "at": entry.at_ms,
        }  # fmt: skip
        changes = tuple(Set(name, value) for name, value in fields.items())
        run_straight(store.write(Write(key=entry.key, when=(), changes=changes)))
