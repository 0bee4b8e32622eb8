"""Whatever a message holds: it is read or it is poison, and its neighbours are never harmed."""

from __future__ import annotations

import asyncio
import json
import re

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from memory_swarm import MemorySwarm
from poison import body_of

from sqswarm import agent
from sqswarm.backends.memory.store import MemoryStore
from sqswarm.backends.ports.bus import Outgoing
from sqswarm.backends.runner import run_straight
from sqswarm.schemas import protocol
from sqswarm.schemas.errors import NotStorable, PoisonMessage
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.message import decode
from sqswarm.schemas.task import TaskRecord
from sqswarm.testing.memory_stage import NAMES

FIELDS = (
    *("principal", "parent", "parent-agent", "deadline", "payload", "v"),
    *("topic", "session", "ordering-key", "redriven-from"),
)
SQS_TAKES = re.compile("[\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]*")

texts = st.one_of(
    st.text(max_size=20),
    st.sampled_from(
        ["", "a\n", "\ud800", "\uffff", "x" * 3000, "01890000-0000-7000-8000-00000000000a#1"]
    ),
)
leaves = st.one_of(
    texts,
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.just(10**400),
    st.just([[]] * 90),
)
values = st.recursive(
    leaves, lambda inner: st.lists(inner) | st.dictionaries(texts, inner), max_leaves=6
)


SPECIAL = (
    *("1e999", "-1E+0999", "NaN", "-Infinity", "9" * 400, "9" * 5000, "1e400000", "-0.0", "1e-999"),
    *('"\\ud800"', '"\\udc00\\ud800"', '{"\\ud800": 1}', '"\\ufffe"', '{"\uffff": "\ufffe"}'),
    *(
        opening * n + "1" + closing * n
        for opening, closing in ("[]", ('{"a":', "}"))
        for n in (62, 63, 2000)
    ),
    *("[" * 2000, "]" * 2000, f'"{"[" * 2000}"', '"' + "\\\\" * 999 + '"', f'"{"x" * 420_000}"'),
)
"""JSON as no entrance of ours would write it."""

hostile = st.one_of(st.sampled_from(SPECIAL), st.sampled_from(SPECIAL), values.map(json.dumps))


@st.composite
def bodies(draw, name="echo"):
    """Draw a message by its grammar, with something wrong in some of its places, or in its text."""
    message = json.loads(body_of(name))
    meta = message["params"]["_meta"]
    for field in draw(st.sets(st.sampled_from(FIELDS), max_size=1)):
        meta[f"dev.sqswarm/{field}"] = draw(st.one_of(st.just("plain"), texts))
    arguments = message["params"]["arguments"]
    place = draw(
        st.sampled_from(["nowhere", *["text", "another"] * 2, "arguments", "id", "name", "meta"])
    )
    target, key = {
        "nowhere": ({}, "x"),
        "text": (arguments, "text"),
        "another": (arguments, draw(texts)),
        "arguments": (message["params"], "arguments"),
        "id": (message, "id"),
        "name": (message["params"], "name"),
        "meta": (message["params"], "_meta"),
    }[place]
    target[key] = "HOSTILE"
    text = json.dumps(message).replace('"HOSTILE"', draw(hostile))
    if draw(st.integers(0, 3)):
        return text
    at = draw(st.integers(0, len(text)))
    return text[:at] + text[at + draw(st.integers(0, 9)) :]


@given(bodies())
def test_a_message_is_read_or_is_poison(body):
    try:
        message = decode(body)
    except PoisonMessage as poison:
        assert poison.reason in {"not-json", "over-limit", "wrong-shape"}  # noqa: PT017
        return
    text = message.encode()
    assert decode(text) == message
    assert SQS_TAKES.fullmatch(text)
    record = TaskRecord.from_message(message, agent="echo", v="v", now_ms=1)
    store = MemoryStore()
    try:
        run_straight(store.write(protocol.create(record)))
    except NotStorable:
        return
    kept = TaskRecord.from_item(run_straight(store.read(record.key)))
    assert kept.to_message().arguments == (
        message.arguments if message.payload_ref is None else None
    )
    assert message.contradicts(kept.to_message()) is None


@agent(timeout=5)
async def echo(text: str) -> str:
    return text


@agent(timeout=5, durability="durable")
async def solid(text: str) -> str:
    return text


@agent(timeout=5, durability="lean")
async def cheap(text: str) -> str:
    return text


def check_unharmed(one, hostile_bodies):
    async def run():
        memory = MemorySwarm(one)
        good = [await memory.submit(one, text="good")]
        sent = [
            Outgoing(id=f"m{n}", body=body, principal="p", agent=one.name)
            for n, body in enumerate(hostile_bodies)
        ]
        await memory.bus.publish(NAMES.topic("tasks"), sent)
        good.append(await memory.submit(one, text="good"))
        result = await memory.work(one)
        assert result.keep == []  # poison, too, is done with at once
        for task_id in good:
            record = await memory.record(task_id)
            assert (record.status, record.attempt) == (Status.COMPLETED, 0 if one is cheap else 1)
        foreign = [i for i in memory.kept.values() if i["status"] not in {"completed", "failed"}]
        assert foreign == []

    asyncio.run(run())


@settings(max_examples=60)
@given(st.data(), st.sampled_from([echo, solid, cheap]))
def test_a_neighbour_is_never_harmed(data, one):
    check_unharmed(one, data.draw(st.lists(bodies(one.name), min_size=1, max_size=8)))


@pytest.mark.proof
@settings(max_examples=3000, derandomize=False, print_blob=True)
@given(st.data(), st.sampled_from([echo, solid, cheap]))
def test_a_neighbour_is_never_harmed_by_what_nobody_has_drawn_before(data, one):
    check_unharmed(one, data.draw(st.lists(bodies(one.name), min_size=1, max_size=8)))
