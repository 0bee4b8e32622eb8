"""Join, as an agent declares it: read when it is declared, held against its signature later."""

from __future__ import annotations

import re
from collections.abc import Sequence

from sqswarm.schemas.errors import InvalidAgent
from sqswarm.schemas.join import TOPICS_LIMIT, Join, argument_of
from sqswarm.schemas.json import JsonObject
from sqswarm.schemas.naming import check_name

_UNITS_S = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_WITHIN = re.compile(r"\s*([0-9]{1,9})\s*(s|m|h|d|second|minute|hour|day)s?\s*")
_LONGEST_S = 366 * 86_400
_FEWEST = 2


def parse_join(
    agent: str, joins: Sequence[str], key: str | None, within: str | None
) -> Join | None:
    """Return the join that is declared, None for none; raises InvalidAgent for half of one."""
    if not joins and key is None and within is None:
        return None
    topics = () if isinstance(joins, str) else tuple(joins)
    given = len({argument_of(topic) for topic in topics})
    if key is None or within is None or not _FEWEST <= given == len(topics) <= TOPICS_LIMIT:
        message = (
            f"agent {agent!r} joins {joins!r} by the key {key!r} within {within!r}: a join is of "
            f"{_FEWEST} to {TOPICS_LIMIT} topics, which name as many arguments, by a key, in a time"
        )
        raise InvalidAgent(
            message, hint='Like joins=["licence", "risk"], key="package", within="10 minutes".'
        )
    found = _WITHIN.fullmatch(within)
    within_s = int(found[1]) * _UNITS_S[found[2][0]] if found else 0
    if not 0 < within_s <= _LONGEST_S:
        message = f"agent {agent!r}: within={within!r} is no time of up to a year"
        raise InvalidAgent(message, hint='Write it as within="10 minutes", "2h" or "1 day".')
    for topic in topics:
        check_name(topic, what="topic")
    return Join(topics=topics, key=key, within_s=within_s)


def check_join(agent: str, join: Join, schema: JsonObject, *, ordered: bool) -> None:
    """Raise InvalidAgent where an agent's arguments are not what its join gives."""
    properties, required = schema.get("properties", {}), {*schema.get("required", ())}
    wanted = {join.key, *join.arguments}
    faults = [f"it has no argument {name}" for name in sorted(wanted - properties.keys())]
    faults += [f"nothing gives its argument {name}" for name in sorted(required - wanted)]
    for name in join.arguments:
        kinds = [one.get("type") for one in properties.get(name, {}).get("anyOf", ())]
        if name in properties and "null" not in kinds:
            faults.append(f"its argument {name} cannot be None")
    if ordered:
        faults.append("it is ordered")
    if faults:
        message = f"agent {agent!r} joins {', '.join(join.topics)}, and {'; '.join(faults)}"
        raise InvalidAgent(
            message,
            hint=f"Declare `{join.key}: str` and, of each topic, an argument such as "
            f"`{join.arguments[0]}: {join.arguments[0].title()} | None`; no other without default.",
        )
