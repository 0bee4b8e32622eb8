"""Filters of the task list: what can be asked for, as URLs have it and as `list` takes it."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from typing import Any
from urllib.parse import urlencode

from sqswarm.schemas.lifecycle import Status

STATUSES = [status.value for status in Status]


@dataclass(frozen=True, kw_only=True)
class TaskFilters:
    """What a list of tasks is narrowed to; empty means any. All of them apply together."""

    status: str = ""
    agent: str = ""

    @classmethod
    def of(cls, query: dict[str, str]) -> TaskFilters:
        """Return the filters of a URL's query; what does not make sense there is left out."""
        known = {one.name: query.get(one.name, "").strip() for one in fields(cls)}
        if known["status"] not in STATUSES:
            known["status"] = ""
        return cls(**known)

    def with_(self, **changed: str | None) -> TaskFilters:
        """Return the filters with some of them set otherwise."""
        return replace(self, **{name: value or "" for name, value in changed.items()})

    def query(self) -> str:
        """Return the query of the page that shows them, `?…`, or nothing."""
        given = {one.name: getattr(self, one.name) for one in fields(self)}
        query = urlencode({name: value for name, value in given.items() if value})
        return f"?{query}" if query else ""

    def arguments(self) -> dict[str, Any]:
        """Return what `AsyncSwarm.list` takes for them."""
        given = {one.name: getattr(self, one.name) for one in fields(self)}
        return {name: value for name, value in given.items() if value}
