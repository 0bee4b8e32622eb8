"""Schemathesis reads /openapi.json and looks for an answer that it does not promise."""

import os
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from function_url import FunctionUrl
from memory_server import memory_server
from served import Issuer
from sigv4 import signed

pytestmark = pytest.mark.proof

HERE = Path(__file__).parent
SIGNING = os.pathsep.join([str(HERE), str(HERE.parent / "support")])
KEY = "ada-" + "k" * 28
UNLIMITED = {"SQSWARM_LIMIT_REQUESTS": "1000000", "SQSWARM_LIMIT_TASKS": "1000000"}


def none(stack):
    return {}, {}


def key(stack):
    env = {"SQSWARM_AUTH": "key", "SQSWARM_API_KEYS": f"ada:{KEY}"}
    return env, {"Authorization": f"Bearer {KEY}"}


def jwt(stack):
    issuer = stack.enter_context(closing(Issuer()))
    return issuer.environment(), {"Authorization": f"Bearer {issuer.token()}"}


def iam(stack):
    return {"SQSWARM_AUTH": "iam", "AWS_LAMBDA_FUNCTION_NAME": "sqswarm-dev-dispatcher"}, None


SEEDS = {none: 1, key: 2, jwt: 3, iam: 4}


@pytest.mark.parametrize("mode", SEEDS)
def test_every_answer_is_one_that_the_document_promises(mode, judge, tmp_path):
    with ExitStack() as stack:
        env, headers = mode(stack)
        front = FunctionUrl if mode is iam else lambda app: app
        server = stack.enter_context(memory_server({**UNLIMITED, **env}, wrap=front))
        address = f"{server.url}/openapi.json"
        shown = signed("GET", address) if headers is None else headers
        answer = server("GET", "/openapi.json", headers=list(shown.items()))
        assert answer.status_code == 200
        assert ("security" in answer.json()) is (mode is not none)
        document = tmp_path / "openapi.json"
        document.write_bytes(answer.content)
        hooks = {"SCHEMATHESIS_HOOKS": "signing_hooks", "PYTHONPATH": SIGNING}
        said = judge(
            *(("--with", "botocore") if headers is None else ()),
            "schemathesis==4.32.5",
            f"--config-file={HERE / 'schemathesis.toml'}",
            "run",
            str(document),
            f"--url={server.url}",
            "--checks=all",
            "--max-examples=40",
            f"--seed={SEEDS[mode]}",
            "--continue-on-failure",
            "--generation-database=none",
            "--no-color",
            *(f"--header={name}: {value}" for name, value in (headers or {}).items()),
            env=hooks if headers is None else None,
        )
    assert "Stateful" in said
    assert "Tested: 8" in said, said
