"""Settings: what is missing or contradicts itself is refused when the server opens."""

import pytest

from sqswarm.dispatcher.server.auth import access_from_environment
from sqswarm.dispatcher.server.auth.authenticators import IamAuthenticator, LoopbackAuthenticator
from sqswarm.schemas.errors import InvalidSettings

KEY = "ada:" + "k" * 32
JWT = {
    "SQSWARM_AUTH": "jwt",
    "SQSWARM_JWT_ISSUER": "https://id.example.com",
    "SQSWARM_JWT_AUDIENCE": "https://swarm.example.com/mcp",
    "SQSWARM_JWT_JWKS": "https://id.example.com/jwks",
}
LAMBDA = {"AWS_LAMBDA_FUNCTION_NAME": "sqswarm-dev-dispatcher"}


def without(env, name):
    return {key: value for key, value in env.items() if key != name}


@pytest.mark.parametrize(
    ("env", "message"),
    [
        pytest.param({"SQSWARM_AUTH": "oauth"}, "SQSWARM_AUTH is 'oauth'", id="unknown-mode"),
        pytest.param({"SQSWARM_AUTH": "key"}, "needs one of", id="no-keys"),
        pytest.param(
            {"SQSWARM_AUTH": "key", "SQSWARM_API_KEYS": KEY, "SQSWARM_API_KEYS_FILE": "/x"},
            "2 are set",
            id="keys-from-two-places",
        ),
        pytest.param(
            {"SQSWARM_AUTH": "key", "SQSWARM_API_KEYS": "ada:short"}, "fewer than 16", id="short"
        ),
        pytest.param(
            {"SQSWARM_AUTH": "key", "SQSWARM_API_KEYS": "k" * 32}, "not name:key", id="no-name"
        ),
        pytest.param({"SQSWARM_AUTH": "key", "SQSWARM_API_KEYS": " , "}, "no key", id="empty"),
        pytest.param(
            {"SQSWARM_AUTH": "key", "SQSWARM_API_KEYS": f"{KEY},bo:{'k' * 32}"},
            "same key twice",
            id="shared-key",
        ),
        pytest.param(
            {"SQSWARM_AUTH": "key", "SQSWARM_API_KEYS_FILE": "/nowhere"}, "read", id="no-file"
        ),
        pytest.param({"SQSWARM_API_KEYS": KEY}, "SQSWARM_AUTH is none", id="keys-left-over"),
        pytest.param(
            {"SQSWARM_AUTH": "key", "SQSWARM_API_KEYS": KEY, "SQSWARM_JWT_ISSUER": "x"},
            "SQSWARM_AUTH is key",
            id="issuer-left-over",
        ),
        *[
            pytest.param(without(JWT, name), f"{name} is not set", id=f"no-{name}")
            for name in JWT
            if name != "SQSWARM_AUTH"
        ],
        pytest.param(
            {**JWT, "SQSWARM_JWT_JWKS": "http://id.example.com/jwks"}, "unprotected", id="http"
        ),
        pytest.param({**JWT, "SQSWARM_JWT_JWKS": "ftp://127.0.0.1/x"}, "unprotected", id="ftp"),
        pytest.param({**JWT, "SQSWARM_JWT_JWKS": "/nowhere"}, "no file", id="no-jwks-file"),
        pytest.param({**JWT, "SQSWARM_JWT_ALGORITHMS": "HS256"}, "'HS256'", id="symmetric"),
        pytest.param({**JWT, "SQSWARM_JWT_ALGORITHMS": "RS256,none"}, "'none'", id="unsigned"),
        pytest.param({"SQSWARM_AUTH": "iam"}, "no Lambda function", id="iam-outside-lambda"),
        pytest.param({**LAMBDA, "SQSWARM_AUTH": "none"}, "everybody", id="open-function"),
        pytest.param({**LAMBDA, "SQSWARM_URL_AUTH": "NONE"}, "everybody", id="open-function-url"),
        pytest.param({**JWT, "SQSWARM_JWT_ISSUER": "id.example.com"}, "no address", id="no-url"),
        pytest.param({"SQSWARM_HOSTS": "swarm.example.com"}, "answer to", id="open-host"),
        pytest.param({"SQSWARM_HOSTS": "*"}, "answer to", id="open-to-any-host"),
        pytest.param({"SQSWARM_PUBLIC_URL": "https://a.example"}, "answer to", id="open-url"),
        pytest.param({**JWT, "SQSWARM_PUBLIC_URL": "a.example"}, "no address", id="half-url"),
        pytest.param({"SQSWARM_ORIGINS": "*"}, "no origin", id="any-origin"),
        pytest.param({"SQSWARM_ORIGINS": "https://a.example/x"}, "no origin", id="path"),
        pytest.param({"SQSWARM_BODY_LIMIT": "4 MB"}, "no number", id="limit-in-words"),
        pytest.param({"SQSWARM_BODY_LIMIT": "0"}, "no number", id="limit-of-nothing"),
    ],
)
def test_settings_that_cannot_work_are_refused_with_a_hint(env, message):
    with pytest.raises(InvalidSettings, match=message) as refused:
        access_from_environment(env)
    assert refused.value.hint
    for secret in ("k" * 32, "short"):
        assert secret not in f"{refused.value} {refused.value.hint}"


def test_without_settings_it_depends_on_where_we_are():
    assert isinstance(access_from_environment({}).authenticator, LoopbackAuthenticator)
    assert isinstance(access_from_environment(LAMBDA).authenticator, IamAuthenticator)
    emulated = {**LAMBDA, "AWS_ENDPOINT_URL": "http://localhost:4566"}
    assert isinstance(access_from_environment(emulated).authenticator, IamAuthenticator)
    open_url = {**emulated, "SQSWARM_URL_AUTH": "NONE"}
    assert isinstance(access_from_environment(open_url).authenticator, LoopbackAuthenticator)


def test_keys_may_stand_in_a_file(tmp_path):
    file = tmp_path / "keys"
    file.write_text(f"{KEY}\nbo:{'b' * 32}\n")
    access = access_from_environment(
        {"SQSWARM_AUTH": "key", "SQSWARM_API_KEYS_FILE": str(file), "SQSWARM_HOSTS": "a.example"}
    )
    assert access.hosts == ("a.example",)


@pytest.mark.localstack
def test_keys_may_stand_in_the_parameter_store(emulator):
    import os

    from sqswarm.backends.aws.connect import client, settings_from_environment

    ssm = client(settings_from_environment(), "ssm")
    ssm.put_parameter(Name="/sqswarm/dev/keys", Value=KEY, Type="SecureString")
    env = {"SQSWARM_AUTH": "key", "SQSWARM_API_KEYS_SSM": "/sqswarm/dev/keys"}
    assert access_from_environment({**os.environ, **env})
    with pytest.raises(InvalidSettings, match="cannot be read"):
        access_from_environment({**os.environ, **env, "SQSWARM_API_KEYS_SSM": "/nowhere"})


def test_a_worker_does_not_load_any_of_this():
    import subprocess
    import sys

    code = (
        "import sys, sqswarm.workers.hosts.lambda_handler, sqswarm.workers.runtime.worker_context\n"
        "print([n for n in ('jwt', 'starlette', 'sqswarm.dispatcher.server', 'pydantic_settings')"
        " if n in sys.modules])"
    )
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout.strip() == "[]"
