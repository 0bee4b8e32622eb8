"""IAM: the signer is who AWS says it is, and only where AWS is the one that says it."""

import asyncio
import base64
import json

import pytest
from mangum import Mangum
from tests.auth.served import echo

from sqswarm.dispatcher.server.auth import AuthMiddleware, access_from_environment

ENV = {"SQSWARM_AUTH": "iam", "AWS_LAMBDA_FUNCTION_NAME": "sqswarm-dev-dispatcher"}
DOMAIN = "abc123.lambda-url.us-east-1.on.aws"


@pytest.fixture(autouse=True)
def loop():
    """The loop that Mangum runs an invocation on."""
    made = asyncio.new_event_loop()
    asyncio.set_event_loop(made)
    yield
    made.close()
    asyncio.set_event_loop(None)


def event(*, iam=None, host=DOMAIN):
    """What a Function URL invokes with (payload format 2.0)."""
    return {
        "version": "2.0",
        "rawPath": "/who",
        "rawQueryString": "",
        "headers": {"host": host},
        "requestContext": {
            "domainName": DOMAIN,
            "http": {"method": "GET", "path": "/who", "sourceIp": "203.0.113.9"},
            **({"authorizer": {"iam": iam}} if iam else {}),
        },
        "isBase64Encoded": False,
    }


def call(given):
    answer = Mangum(AuthMiddleware(echo(), access_from_environment(ENV)), lifespan="off")(
        given, None
    )
    body = answer["body"]
    if answer["isBase64Encoded"]:
        body = base64.b64decode(body)
    return answer["statusCode"], json.loads(body), answer["headers"]


@pytest.mark.parametrize(
    ("arn", "principal"),
    [
        pytest.param("arn:aws:iam::1:user/ada", "arn:aws:iam::1:user/ada", id="user"),
        pytest.param(
            "arn:aws:sts::1:assumed-role/team/monday",
            "arn:aws:sts::1:assumed-role/team",
            id="a-role-not-its-session",
        ),
    ],
)
def test_the_signer_is_the_principal(arn, principal):
    status, body, _ = call(event(iam={"userArn": arn, "accountId": "1"}))
    assert (status, body["principal"], body["operator"]) == (200, principal, False)


@pytest.mark.parametrize("iam", [None, {"userArn": None}, {"accountId": "1"}])
def test_without_a_signer_nobody_is_let_in(iam, caplog):
    status, _, headers = call(event(iam=iam))
    assert status == 401
    assert headers["www-authenticate"] == "AWS4-HMAC-SHA256"
    [said] = [record.fields for record in caplog.records if record.name == "sqswarm"]
    assert said["client"] == "203.0.113.9"


def test_a_rest_api_names_the_signer_elsewhere():
    given = event()
    given["requestContext"]["identity"] = {"userArn": "arn:aws:iam::1:user/bo"}
    status, body, _ = call(given)
    assert (status, body["principal"]) == (200, "arn:aws:iam::1:user/bo")


def test_another_host_is_misdirected_there_too():
    assert call(event(iam={"userArn": "arn:aws:iam::1:user/ada"}, host="evil.example"))[0] == 421
