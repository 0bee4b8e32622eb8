"""Seen names: the stages that verbs have met, and what their agents are called; for completion."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from sqswarm.schemas.json import dumps, loads

if TYPE_CHECKING:
    from sqswarm.schemas.catalogue import CatalogueEntry
    from sqswarm.schemas.settings import Settings

_FILE = "names.json"
_STAGES_KEPT = 50


@dataclass(frozen=True, kw_only=True)
class SeenNames:
    """Agents of a stage with their arguments' names, and their topics."""

    agents: dict[str, list[str]] = field(default_factory=dict)
    topics: list[str] = field(default_factory=list)

    @classmethod
    def of(cls, deployed: Iterable[CatalogueEntry]) -> SeenNames:
        """Return the names of deployed agents."""
        entries = list(deployed)
        return cls(
            agents={one.name: [*one.input_schema.get("properties", {})] for one in entries},
            topics=sorted({sub.topic for one in entries for sub in one.subscriptions}),
        )


def remember_names(
    deployed: Iterable[CatalogueEntry], settings: Settings, env: Mapping[str, str]
) -> None:
    """Keep a stage's names in the local home, where they are not kept already.

    Nothing comes of it where that cannot be written.
    """
    with contextlib.suppress(OSError, ValueError):
        file, kept = _file(env), _kept(env)
        key, names = _key(settings, env), asdict(SeenNames.of(deployed))
        if kept.get(key) == names:
            return
        kept.pop(key, None)
        newest = dict([*kept.items(), (key, names)][-_STAGES_KEPT:])
        file.parent.mkdir(parents=True, exist_ok=True)
        half = file.with_suffix(f".{os.getpid()}")
        half.write_text(dumps(newest))
        half.replace(file)


def names_of_stage(settings: Settings, env: Mapping[str, str]) -> SeenNames:
    """Return the names that were seen on a stage, none where it was never met."""
    return SeenNames(**_kept(env).get(_key(settings, env), {}))


def stages_seen(env: Mapping[str, str]) -> list[str]:
    """Return the stages that were met, wherever they are."""
    return sorted({key.partition(" ")[0] for key in _kept(env)})


def _key(settings: Settings, env: Mapping[str, str]) -> str:
    where = settings.endpoint_url or f"{env.get('AWS_PROFILE', '')} {settings.region}"
    return f"{settings.stage} {where}"


def _kept(env: Mapping[str, str]) -> dict[str, Any]:
    try:
        kept = loads(_file(env).read_text())
    except (OSError, ValueError):
        return {}
    return kept if isinstance(kept, dict) else {}


def _file(env: Mapping[str, str]) -> Path:
    from sqswarm.backends.aws.connect import local_home

    return local_home(env) / _FILE
