"""Signals: values that somebody sends into a task, under topics.

They lie among the task's answers, each under its topic and its number there: the first that a topic
has is what the first `receive` of it gets, whichever of the two came first. A receive whose time is
over takes its number with it. No question has such a key.
"""

from __future__ import annotations

from itertools import count

from sqswarm.schemas.json import JsonObject, name_fault

SIGNALS_LIMIT_BYTES = 128 * 1024
"""All that a task is sent and answered: it shares the item's 400 KB with its journal and result."""

_MARK = "#"


def topic_fault(topic: str) -> str | None:
    """Return what keeps a text from being a topic that a task receives, if anything does."""
    return "holds '#'" if _MARK in topic else name_fault(topic)


def signal_key(name: str) -> str:
    """Return the key of what a receive of this name gets (`go`, `go#2`)."""
    return f"{_MARK}{name}"


def name_of(key: str) -> str:
    """Return the name of the receive that gets what is kept under a signal's key."""
    return key.removeprefix(_MARK)


def numbered(name: str, number: int) -> str:
    """Return what the use number `number` (from 1) of a question's key or a topic is called."""
    return name if number == 1 else f"{name}{_MARK}{number}"


def is_signal(key: str) -> bool:
    """Tell whether a key among waits or answers is a signal's."""
    return key.startswith(_MARK)


def topic_of(key: str) -> str:
    """Return the topic of a signal's key."""
    return name_of(key).partition(_MARK)[0]


def free_key(answers: JsonObject, topic: str) -> str:
    """Return the key of a topic's next value: the first that nothing came under."""
    keys = (signal_key(numbered(topic, number)) for number in count(1))
    return next(key for key in keys if key not in answers)
