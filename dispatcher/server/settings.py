"""ServerSettings: how a server behaves, read once from the environment."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass

from sqswarm.schemas.errors import InvalidSettings

WAIT_S = 25.0
"""How long a call waits at most: API Gateway gives an answer up after 29 seconds."""


@dataclass(frozen=True, kw_only=True)
class ServerSettings:
    """`wait_s`: seconds a call without a task waits for its result, before it tells the task's id.

    `catalogue_s`: seconds until a new deployment's agents are seen. `look_s`: seconds between two
    looks at the tasks that a subscription follows. `streams`: whether the transport can hold a
    response open; Lambda behind mangum cannot.
    """

    wait_s: float = WAIT_S
    catalogue_s: float = 10.0
    look_s: float = 0.5
    streams: bool = True

    @classmethod
    def from_env(cls, env: Mapping[str, str], *, streams: bool = True) -> ServerSettings:
        """Return what SQSWARM_SERVER_WAIT_S and SQSWARM_DOOR_CATALOGUE_S say.

        Raises InvalidSettings for what is no number of seconds.
        """
        return cls(
            wait_s=_seconds(env, "SQSWARM_SERVER_WAIT_S", WAIT_S),
            catalogue_s=_seconds(env, "SQSWARM_DOOR_CATALOGUE_S", 10.0),
            streams=streams,
        )


def _seconds(env: Mapping[str, str], name: str, default: float) -> float:
    text = env.get(name)
    if not text:
        return default
    try:
        seconds = float(text)
    except ValueError:
        seconds = math.nan
    if not 0 <= seconds <= 900:  # noqa: PLR2004 - no Lambda function lives longer
        message = f"{name} is {text!r}, not a number of seconds up to 900"
        raise InvalidSettings(message)
    return seconds
