"""The message: what we encode MCP's own types accept, and what is broken is named."""

import json
from secrets import randbits

import pytest

from sqswarm.schemas.errors import PoisonMessage
from sqswarm.schemas.ids import derive_task_id, new_task_id
from sqswarm.schemas.message import Message, decode

ID = new_task_id(1_700_000_000_000, randbits)


def message(**changes):
    fields = {"id": ID, "name": "keywords", "arguments": {"text": "ü"}, "principal": "me"}
    return Message(**{**fields, **changes})


def test_a_message_survives_the_wire():
    sent = message(
        parent=f"{ID}#7",
        v="abc",
        session_id="s",
        deadline="2026-11-21T00:00:00Z",
        traceparent="00-" + "a" * 32 + "-" + "b" * 16 + "-01",
    )
    assert decode(sent.encode()) == sent


def test_a_payload_reference_replaces_the_arguments():
    sent = message(arguments=None, payload_ref="s3://bucket/key")
    assert decode(sent.encode()).payload_ref == "s3://bucket/key"
    assert decode(sent.encode()).arguments is None


def test_mcp_itself_accepts_the_message():
    from mcp.types import CallToolRequest, JSONRPCRequest

    body = json.loads(message().encode())
    assert JSONRPCRequest.model_validate(body).method == "tools/call"
    request = CallToolRequest.model_validate({"method": body["method"], "params": body["params"]})
    assert request.params.name == "keywords"
    assert request.params.arguments == {"text": "ü"}


def broken(**changes):
    body = json.loads(message().encode())
    for path, value in changes.items():
        target = body
        *parents, last = path.split("__")
        for part in parents:
            target = target[part]
        if value is None:
            del target[last]
        else:
            target[last] = value
    return json.dumps(body)


def claiming(**meta):
    own = {"principal": "me", **meta}
    return broken(params___meta={f"dev.sqswarm/{key}": value for key, value in own.items()})


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("", "not-json", id="empty"),
        pytest.param("hello", "not-json", id="plain-text"),
        pytest.param('{"a": NaN}', "over-limit", id="nan"),
        pytest.param("[" * 1000 + "]" * 1000, "over-limit", id="nested-1000"),
        pytest.param(broken(params__arguments={"a": "\ud800"}), "over-limit", id="surrogate"),
        pytest.param(
            message().encode().replace('"ü"', "1e999"), "over-limit", id="overflowing-float"
        ),
        pytest.param(broken(id=ID + "\n"), "wrong-shape", id="id-with-a-newline"),
        pytest.param(claiming(principal=""), "wrong-shape", id="principal-is-empty"),
        pytest.param(claiming(principal="p" * 3000), "wrong-shape", id="principal-is-too-long"),
        pytest.param(claiming(session="a\ufffe"), "wrong-shape", id="session-unprintable"),
        pytest.param(claiming(**{"ordering-key": ""}), "wrong-shape", id="ordering-key-is-empty"),
        pytest.param(claiming(parent="garbage"), "wrong-shape", id="parent-is-garbage"),
        pytest.param(claiming(parent=f"{ID}#1\n"), "wrong-shape", id="parent-with-a-newline"),
        pytest.param(claiming(deadline="tomorrow"), "wrong-shape", id="deadline-is-garbage"),
        pytest.param(claiming(payload="s3://b/"), "wrong-shape", id="payload-names-nothing"),
        pytest.param(claiming(**{"redriven-from": "x"}), "wrong-shape", id="redriven-from-garbage"),
        pytest.param("[1]", "wrong-shape", id="a-list"),
        pytest.param("{}", "wrong-shape", id="an-empty-object"),
        pytest.param(broken(jsonrpc="1.0"), "wrong-shape", id="old-json-rpc"),
        pytest.param(broken(method="tools/list"), "wrong-shape", id="another-method"),
        pytest.param(broken(id=7), "wrong-shape", id="id-is-a-number"),
        pytest.param(broken(id="seven"), "wrong-shape", id="id-is-no-task-id"),
        pytest.param(broken(params=None), "wrong-shape", id="no-params"),
        pytest.param(broken(params__name=1), "wrong-shape", id="name-is-a-number"),
        pytest.param(broken(params__arguments=[1]), "wrong-shape", id="arguments-are-a-list"),
        pytest.param(broken(params___meta=None), "wrong-shape", id="no-meta"),
        pytest.param(broken(params___meta={}), "wrong-shape", id="no-principal"),
        pytest.param(
            broken(params___meta={"dev.sqswarm/principal": 1}),
            "wrong-shape",
            id="principal-is-a-number",
        ),
        pytest.param(
            broken(
                params___meta={
                    "dev.sqswarm/principal": "me",
                    "dev.sqswarm/payload": "https://elsewhere",
                }
            ),
            "wrong-shape",
            id="payload-is-not-in-s3",
        ),
    ],
)
def test_what_no_agent_can_run_is_poison_with_its_reason(text, reason):
    with pytest.raises(PoisonMessage) as caught:
        decode(text)
    assert caught.value.reason == reason
    assert str(caught.value)


def test_arguments_are_nested_as_deep_as_everywhere_else():
    def deep(levels):
        inner = {}
        for _ in range(levels - 1):
            inner = {"a": inner}
        return inner

    assert decode(message(arguments=deep(64)).encode()).arguments == deep(64)
    with pytest.raises(PoisonMessage, match="over a limit"):
        decode(message(arguments=deep(65)).encode())


def test_a_trace_context_of_another_form_is_ignored():
    body = json.loads(message().encode())
    body["params"]["_meta"]["traceparent"] = "00-garbage"
    assert decode(json.dumps(body)).traceparent is None


CLAIMS = {
    "principal": "somebody-else",
    "parent": f"{ID}#0",
    "deadline": "2026-11-21T00:00:00Z",
    "session_id": "another",
    "ordering_key": "k",
    "redriven_from": ID,
    "arguments": {"text": "u"},
}


@pytest.mark.parametrize("field", CLAIMS)
def test_a_message_that_says_otherwise_than_the_record_is_poison(field):
    poison = message(**{field: CLAIMS[field]}).contradicts(message())
    assert (poison.reason, field in str(poison)) == ("contradicts-record", True)


def test_a_payload_of_another_is_poison_whatever_the_record_has():
    foreign = message(arguments=None, payload_ref="s3://bucket/other")
    for truth in (message(), message(arguments=None, payload_ref="s3://bucket/own")):
        assert foreign.contradicts(truth).reason == "contradicts-record"
    large = message(arguments=None, payload_ref="s3://bucket/own")
    assert message().contradicts(large).reason == "contradicts-record"


def test_what_a_message_leaves_out_it_does_not_claim():
    assert message().contradicts(message(parent=f"{ID}#0", session_id="s")) is None


def test_without_a_record_nothing_is_believed_that_needs_one():
    own = "s3://bucket/own"
    derived = derive_task_id("somebody", "key", at_ms=0)
    for forged in (
        message(parent=f"{ID}#0"),
        message(id=derived),
        message(arguments=None, payload_ref="s3://bucket/other"),
    ):
        assert forged.unbacked(payload_ref=own).reason == "no-record"
    assert message().unbacked(payload_ref=own) is None
    assert message(arguments=None, payload_ref=own).unbacked(payload_ref=own) is None
