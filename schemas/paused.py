"""Which agents are paused: one object in the stage's bucket, that no deployment writes."""

from __future__ import annotations

from collections.abc import Mapping

from sqswarm.schemas.json import JsonObject, dumps, loads
from sqswarm.schemas.task import iso
from sqswarm.schemas.value import dataclass

PAUSED_KEY = "paused.json"
"""Where it lies. There is none until an agent is paused for the first time."""


@dataclass(frozen=True, kw_only=True)
class Pause:
    """Since when an agent is paused (Unix milliseconds), and who paused it."""

    at_ms: int
    by: str

    def to_json(self) -> JsonObject:
        """Return it as a JSON object for people and machines."""
        return {"at": iso(self.at_ms), "by": self.by}


Paused = Mapping[str, Pause]
"""The paused agents by name."""


def dump_paused(paused: Paused) -> bytes:
    """Return the text that `load_paused` reads."""
    return dumps({name: vars(paused[name]) for name in sorted(paused)}).encode()


def load_paused(text: bytes | None) -> dict[str, Pause]:
    """Return who is paused; nobody is where there is no text."""
    if text is None:
        return {}
    return {
        name: Pause(at_ms=int(told["at_ms"]), by=str(told["by"]))
        for name, told in loads(text).items()
    }
