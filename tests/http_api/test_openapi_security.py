"""The document's security is the running server's own."""

import pytest
from function_url import FunctionUrl
from memory_server import memory_server
from served import Issuer
from sigv4 import signed

KEY = "ada-" + "k" * 28


def told(server, headers=()):
    """Return the document's security scheme, with the proof that it is what the server asks for."""
    document = server("GET", "/openapi.json", headers=headers).json()
    if "security" not in document:
        assert "securitySchemes" not in document["components"]
        return None
    [required] = document["security"]
    [(name, scheme)] = document["components"]["securitySchemes"].items()
    assert list(required) == [name]
    assert server("GET", "/agents").status_code == 401
    assert server("GET", "/agents", headers=headers).status_code in {200, 401}
    return scheme


def test_a_server_for_its_own_machine_demands_nothing():
    with memory_server() as server:
        assert told(server) is None
        assert server("GET", "/agents").status_code == 200


def test_keys_are_bearer_tokens():
    with memory_server({"SQSWARM_AUTH": "key", "SQSWARM_API_KEYS": f"ada:{KEY}"}) as server:
        scheme = told(server, [("Authorization", f"Bearer {KEY}")])
    assert (scheme["type"], scheme["scheme"], "bearerFormat" in scheme) == ("http", "bearer", False)


def test_access_tokens_are_told_with_their_issuer():
    issuer = Issuer()
    with memory_server(issuer.environment()) as server:
        scheme = told(server, [("Authorization", f"Bearer {issuer.token()}")])
    issuer.close()
    assert (scheme["scheme"], scheme["bearerFormat"]) == ("bearer", "JWT")
    assert issuer.url in scheme["description"]


def test_signatures_are_aws():
    env = {"SQSWARM_AUTH": "iam", "AWS_LAMBDA_FUNCTION_NAME": "sqswarm-dev-dispatcher"}
    with memory_server(env, wrap=FunctionUrl) as server:
        scheme = told(server, list(signed("GET", f"{server.url}/openapi.json").items()))
    assert scheme["x-amazon-apigateway-authtype"] == "awsSigv4"


@pytest.mark.parametrize("path", ["/nowhere", "/tasks/a/b", "/tasks/x/y/answers"])
def test_an_address_that_is_none_is_a_problem_too(path):
    with memory_server() as server:
        answer = server("GET", path)
    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("delay", [5, 5.0])
def test_jsons_one_kind_of_number_is_a_delay(delay):
    with memory_server() as server:
        new = {"agent": "say", "arguments": {"text": "x"}, "delay": delay}
        assert server("POST", "/tasks", json=new).status_code == 201
        assert server("POST", "/tasks", json={**new, "delay": 5.5}).status_code == 422
