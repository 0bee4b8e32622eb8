"""Poison: messages that no agent can run, by what is wrong with them, with the reason they get."""

from __future__ import annotations

import json
from dataclasses import dataclass
from secrets import randbits

from sqswarm.schemas.ids import derive_task_id, new_task_id

NOW_MS = 1_800_000_000_000


@dataclass(frozen=True, kw_only=True)
class Poison:
    """A message's body, and the reason on its dead letter."""

    body: str
    reason: str


def body_of(agent, *, task_id=None, arguments=None, text=None, **meta):
    """Return a message for `agent`; `text` stands where the JSON of its argument would."""
    claims = {"principal": "mallory", **meta}
    body = {
        "jsonrpc": "2.0",
        "id": task_id or new_task_id(NOW_MS, randbits),
        "method": "tools/call",
        "params": {
            "name": agent,
            "arguments": {"text": "poison"} if arguments is None else arguments,
            "_meta": {f"dev.sqswarm/{name}": value for name, value in claims.items()},
        },
    }
    plain = json.dumps(body)
    return plain if text is None else plain.replace('"poison"', text)


def poisons(agent):
    """Return one of each poison for `agent`, by name."""
    fresh = new_task_id(NOW_MS, randbits)
    made = {
        "no-json": ("{", "not-json"),
        "nested-1000": (body_of(agent, text="[" * 1000 + "]" * 1000), "over-limit"),
        "objects-nested": (
            body_of(agent, text='{"a":' * 1000 + "1" + "}" * 1000),
            "over-limit",
        ),
        "never-closed": ("[" * 100_000, "over-limit"),
        "1e999": (body_of(agent, text="1e999"), "over-limit"),
        "nan": (body_of(agent, text="NaN"), "over-limit"),
        "5000-digits": (body_of(agent, text="9" * 5000), "over-limit"),
        "lone-surrogate": (body_of(agent, text='"\\ud800"'), "over-limit"),
        "surrogate-in-a-key": (body_of(agent, arguments={"\udc00": 1}), "over-limit"),
        "garbage-parent": (body_of(agent, parent="garbage"), "wrong-shape"),
        "parent-of-nobody": (body_of(agent, parent=f"{fresh}#0"), "no-record"),
        "id-with-a-newline": (body_of(agent, task_id=f"{fresh}\n"), "wrong-shape"),
        "squatted-id": (
            body_of(agent, task_id=derive_task_id("somebody", "key", at_ms=0)),
            "no-record",
        ),
        "foreign-payload": (body_of(agent, payload="s3://memory/payloads/x/y.json"), "no-record"),
        "payload-nowhere": (body_of(agent, payload="https://elsewhere"), "wrong-shape"),
        "long-principal": (body_of(agent, principal="p" * 3000), "wrong-shape"),
        "empty-principal": (body_of(agent, principal=""), "wrong-shape"),
        "empty-session": (body_of(agent, session=""), "wrong-shape"),
        "long-session": (body_of(agent, session="s" * 3000), "wrong-shape"),
        "unprintable-key": (body_of(agent, **{"ordering-key": "a\ufffe"}), "wrong-shape"),
        "garbage-deadline": (body_of(agent, deadline="tomorrow"), "wrong-shape"),
        "another-agents": (body_of("somebody-else"), "unknown-agent"),
        "unknown-topic": (body_of(agent, topic="nowhere"), "unknown-topic"),
    }
    return {name: Poison(body=body, reason=reason) for name, (body, reason) in made.items()}
