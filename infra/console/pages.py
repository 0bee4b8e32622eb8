"""The pages, in the order of the navigation. A page is one file here and one entry below.

Its `show(view, …)` builds it within the frame; further parameters are those of its path and query.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, kw_only=True)
class Page:
    """One page: `key` follows `g` on the keyboard; without an `icon` it is in no list."""

    path: str
    title: str
    module: str
    icon: str = ""
    key: str = ""


PAGES = (
    Page(path="/", title="Overview", module="overview", icon="space_dashboard", key="o"),
    Page(path="/tasks", title="Tasks", module="tasks", icon="list_alt", key="t"),
    Page(path="/tasks/{task_id}", title="Task", module="task"),
    Page(path="/agents", title="Agents", module="agents", icon="smart_toy", key="a"),
    Page(path="/agents/{name}", title="Agent", module="agent"),
    Page(path="/submit", title="Submit", module="submit", icon="send", key="s"),
)
