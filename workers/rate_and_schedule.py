"""Declared: what an agent's `rate` and `schedule` say, read when the agent is declared."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqswarm.schemas.agent_spec import Rate, Schedule
from sqswarm.schemas.errors import InvalidAgent
from sqswarm.schemas.json import NESTING_LIMIT, dumps

_UNITS_S = {"second": 1, "minute": 60, "hour": 3600, "day": 86_400}
_RATE = re.compile(r"\s*([0-9]{1,9})\s*/\s*(second|minute|hour|day)s?\s*")
_EVERY = re.compile(
    r"rate\((?:1 (?:minute|hour|day)|(?:[2-9]|[1-9][0-9]+) (?:minutes|hours|days))\)"
)
_CRON = re.compile(r"cron\((?:\S+ ){5}\S+\)")
_SCHEDULES_LIMIT = 10


def parse_rate(agent: str, rate: str) -> Rate:
    """Return the rate that `rate` ("50/minute") declares; raises InvalidAgent."""
    found = _RATE.fullmatch(rate) if isinstance(rate, str) else None
    if found is None or int(found[1]) == 0:
        message = f"agent {agent!r}: rate={rate!r} is not a number per second, minute, hour or day"
        raise InvalidAgent(message, hint='Write it as rate="50/minute".')
    return Rate(count=int(found[1]), per_s=_UNITS_S[found[2]])


def parse_schedules(
    agent: str, schedule: str | Schedule | Sequence[str | Schedule]
) -> tuple[Schedule, ...]:
    """Return the schedules that are declared; raises InvalidAgent for what no rule accepts.

    Source: EventBridge User Guide, "Creating rules that run on a schedule": the singular for 1,
    six fields of cron.
    """
    given = [schedule] if isinstance(schedule, str | Schedule) else list(schedule)
    schedules = tuple(Schedule(expression=one) if isinstance(one, str) else one for one in given)
    for one in schedules:
        if not (_EVERY.fullmatch(one.expression) or _CRON.fullmatch(one.expression)):
            message = f"agent {agent!r}: schedule {one.expression!r} is no rate(...) or cron(...)"
            raise InvalidAgent(
                message, hint='Write schedule="rate(5 minutes)" or "cron(0 8 * * ? *)" (UTC).'
            )
        try:
            dumps(one.arguments, place="arguments", nesting=NESTING_LIMIT)
        except (TypeError, ValueError) as error:
            message = f"agent {agent!r}: a schedule's arguments are not JSON: {error}"
            raise InvalidAgent(message) from error
    if len(schedules) > _SCHEDULES_LIMIT:
        message = f"agent {agent!r} has {len(schedules)} schedules; {_SCHEDULES_LIMIT} are possible"
        raise InvalidAgent(message, hint="Merge them, or submit from another agent.")
    return schedules
