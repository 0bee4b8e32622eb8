"""The message: what we encode MCP's own types accept, and what is broken is named."""

import json
from secrets import randbits

import pytest

from sqswarm.schemas.errors import PoisonMessage
from sqswarm.schemas.ids import new_task_id
from sqswarm.schemas.message import Message, decode

ID = new_task_id(1_700_000_000_000, randbits)


def message(**changes):
    fields = {"id": ID, "name": "keywords", "arguments": {"text": "ü"}, "principal": "me"}
    return Message(**{**fields, **changes})


def test_a_message_survives_the_wire():
    sent = message(
        parent=f"{ID}#k",
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


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("", "not-json", id="empty"),
        pytest.param("hello", "not-json", id="plain-text"),
        pytest.param('{"a": NaN}', "not-json", id="nan-is-no-json"),
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
