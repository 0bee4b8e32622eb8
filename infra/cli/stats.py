"""`sqswarm stats`."""

from __future__ import annotations

import sys
import time
from typing import TYPE_CHECKING, Annotated, NoReturn

import typer

from sqswarm.infra.cli import completion
from sqswarm.infra.cli.output import (
    duration,
    print_json,
    print_json_line,
    print_line,
    print_table,
    table,
    visible,
)
from sqswarm.infra.cli.session import session_of
from sqswarm.schemas.pricing import MICRO
from sqswarm.schemas.task_filter import moment_ms_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from rich.console import Group

    from sqswarm.schemas.stats import AgentStats, Quantiles, Stats

_COLUMNS = (
    *("agent", "ended/s", "ok", "failed", "retried"),
    *("wait p50", "p95", "run p50", "p95"),
    *("waiting", "in work", "delayed", "oldest", "dead", "$"),
)
_MINUTE_S = 60
_SECOND_MS = 1000


def stats(
    context: typer.Context,
    agent: Annotated[
        str | None,
        typer.Argument(help="One agent; else all of them.", autocompletion=completion.agents),
    ] = None,
    *,
    since: Annotated[
        str, typer.Option(help="From when on: 15m, 1h, 7d ago, or a time (ISO 8601).")
    ] = "1h",
    watch: Annotated[bool, typer.Option("--watch", "-w", help="Show anew until Ctrl-C.")] = False,
    every: Annotated[float, typer.Option(help="Seconds between two looks.", min=0.5)] = 5.0,
) -> None:
    """Show how agents do: rates, waits, backlog, failures by type, cost.

    Example: sqswarm stats --since 10m --watch
    """
    session = session_of(context)
    now_ms = time.time_ns() // 1_000_000
    since_s = max((now_ms - moment_ms_of(since, now_ms=now_ms)) / 1000, 1.0)
    with session.swarm() as swarm:

        def look() -> Stats:
            return swarm.stats(since_s=since_s, agent=agent)

        if watch and not session.json and sys.stdout.isatty():
            _redraw(look, every)
        while True:
            seen = look()
            if not session.json:
                _print(seen)
            elif watch:
                print_json_line(seen.to_json())
            else:
                print_json(seen.to_json())
            if not watch:
                return
            time.sleep(every)


def _redraw(look: Callable[[], Stats], every_s: float) -> NoReturn:
    """Draw in one place until Ctrl-C."""
    from rich.live import Live

    with Live(_drawn(look()), auto_refresh=False, screen=True) as live:
        while True:
            time.sleep(every_s)
            live.update(_drawn(look()), refresh=True)


def _print(seen: Stats) -> None:
    rows = _rows(seen)
    print_table(_COLUMNS, rows)
    for line in (*_failures(seen), *_short(seen)):
        print_line(line)


def _drawn(seen: Stats) -> Group:
    from rich.console import Group
    from rich.text import Text

    moment = time.strftime("%H:%M:%S", time.localtime(seen.at_ms / 1000))
    head = f"{seen.stage}, the last {duration(seen.since_s)}, {moment}"
    lines = [*_failures(seen), *_short(seen)]
    shown = (Text(visible(line)) for line in lines)
    return Group(Text(head), table(_COLUMNS, _rows(seen)), *shown)


def _rows(seen: Stats) -> list[tuple[str, ...]]:
    shown = [*seen.agents, seen.total] if len(seen.agents) != 1 else [*seen.agents]
    return [_row(one) for one in shown]


def _row(one: AgentStats) -> tuple[str, ...]:
    backlog = one.backlog
    return (
        f"{one.agent} (paused)" if one.paused else one.agent,
        f"{one.per_s:.2f}",
        f"{one.completed:,}",
        f"{one.failed:,}",
        f"{one.retried:,}",
        *_times(one.wait),
        *_times(one.run),
        f"{backlog.waiting:,}",
        f"{backlog.in_flight:,}",
        f"{backlog.delayed:,}",
        "" if backlog.oldest_s is None else duration(backlog.oldest_s),
        f"{backlog.dead_letters:,}",
        f"{one.spent.micro_usd / MICRO:.4f}" if one.spent.calls else "",
    )


def _times(some: Quantiles | None) -> tuple[str, str]:
    return ("", "") if some is None else (_length(some.p50_ms), _length(some.p95_ms))


def _length(ms: int) -> str:
    if ms < _SECOND_MS:
        return f"{ms} ms"
    seconds = ms / _SECOND_MS
    return f"{seconds:.1f} s" if seconds < _MINUTE_S else duration(seconds)


def _failures(seen: Stats) -> list[str]:
    return [
        f"{one.agent} failed: "
        + ", ".join(f"{count:,} {kind}" for kind, count in one.failures.items())
        for one in seen.agents
        if one.failures
    ]


def _short(seen: Stats) -> list[str]:
    """Say where a look did not reach as far back as it was meant to."""
    return [
        f"{one.agent}: of the last {duration(one.seconds)} only, so much happened"
        for one in seen.agents
        if one.seconds < seen.since_s - 1
    ]
