"""Filters of the task list: what can be asked for, as URLs have it and as `list` takes it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any
from urllib.parse import urlencode

from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.task_filter import PARKED

STATUSES = [*(status.value for status in Status), PARKED]
SINCE = {"": "any time", "15m": "last 15 min", "1h": "last hour", "1d": "last day",
         "7d": "last week"}  # fmt: skip


@dataclass(frozen=True, kw_only=True)
class TaskFilters:
    """What a list of tasks is narrowed to; empty means any. All of them apply together.

    `since` and `until` are as `sqswarm list` takes them, `where` is `tag=value` with commas
    between, `cursor` is where a later page begins.
    """

    status: str = ""
    agent: str = ""
    since: str = ""
    until: str = ""
    principal: str = ""
    error_type: str = ""
    where: str = ""
    cursor: str = ""

    @classmethod
    def of(cls, query: Mapping[str, str]) -> TaskFilters:
        """Return the filters of a URL's query; what does not make sense there is left out."""
        known = {one.name: query.get(one.name, "").strip() for one in fields(cls)}
        if known["status"] not in STATUSES:
            known["status"] = ""
        return cls(**known)

    def changed(self, **to: str | None) -> TaskFilters:
        """Return the filters with some of them set otherwise; then it begins with the newest."""
        return replace(self, **{"cursor": "", **{name: value or "" for name, value in to.items()}})

    @property
    def narrow(self) -> bool:
        """Tell whether anything is left out."""
        return self.changed() != TaskFilters()

    def query(self) -> str:
        """Return the query of the page that shows them, `?…`, or nothing."""
        given = {one.name: getattr(self, one.name) for one in fields(self)}
        query = urlencode({name: value for name, value in given.items() if value})
        return f"?{query}" if query else ""

    def arguments(self) -> dict[str, Any]:
        """Return what `AsyncSwarm.list` takes for them."""
        given = {one.name: getattr(self, one.name) for one in fields(self)}
        found = {name: value for name, value in given.items() if value}
        if "where" in found:
            tags = (one.partition("=") for one in self.where.split(",") if one.strip())
            found["where"] = {name.strip(): value.strip() for name, _, value in tags}
        return found
