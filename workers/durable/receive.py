"""Receive: an agent takes the next value that is sent to a topic of its task, or suspends."""

from __future__ import annotations

from typing import Any

from sqswarm.schemas.errors import ReceiveTimedOut
from sqswarm.schemas.signal import numbered, signal_key, topic_fault
from sqswarm.workers.durable.ask import form, wait_for
from sqswarm.workers.durable.journal import Journal
from sqswarm.workers.durable.journal_entry import receive_name
from sqswarm.workers.runtime.outcome import Fail


async def run_receive(
    journal: Journal, topic: str, model: Any, *, timeout_s: float | None, on_timeout: Any
) -> Any:
    """Return the next value of `topic` as one of `model`, or suspend until it is sent.

    Raises ReceiveTimedOut where its time ends first and `on_timeout` gives no value instead, and
    pydantic's ValidationError for a value that was sent before anybody knew what was wanted.
    """
    from pydantic import TypeAdapter

    if fault := topic_fault(topic):
        reason = f"a signal's topic {fault}"
        raise Fail(reason, type="InvalidReceive")
    name = numbered(topic, journal.number(receive_name(topic)) + 1)
    adapter = TypeAdapter(model)
    asked = form(journal, adapter, timeout_s, on_timeout)
    came = await wait_for(journal, signal_key(name), receive_name(name), asked)
    if came.given.get("timedOut"):
        raise ReceiveTimedOut(topic)
    return await came.value(journal, adapter)
