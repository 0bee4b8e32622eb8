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
    Page(path="/failures", title="Failures", module="failures", icon="error_outline", key="f"),
    Page(path="/dead-letters", title="Dead letters", module="dead_letters", icon="drafts", key="d"),
    Page(path="/dead-letters/{agent}", title="Dead letters", module="dead_letter_list"),
    Page(path="/inbox", title="Inbox", module="inbox", icon="contact_support", key="i"),
    Page(path="/schedules", title="Schedules", module="schedules", icon="schedule", key="c"),
    Page(path="/sessions", title="Sessions", module="sessions", icon="forum", key="e"),
    Page(path="/sessions/{agent}", title="Session", module="session_page"),
    Page(path="/cost", title="Cost", module="cost", icon="payments", key="m"),
    Page(path="/submit", title="Submit", module="submit", icon="send", key="s"),
)
