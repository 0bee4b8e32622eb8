"""Tokens: forged, stale and foreign ones are refused, each with its reason, logged once."""

import pytest
from forged_tokens import FORGED, in_s, typed
from served import guarded_echo, serve

from sqswarm.dispatcher.server.auth import access_from_environment
from sqswarm.dispatcher.server.auth.tokens import COOLDOWN_S, LIFESPAN_S, STALE_S, KeySet
from sqswarm.schemas.errors import Unreachable


@pytest.fixture(scope="module")
def served(issuer):
    env = issuer.environment()
    with serve(guarded_echo, lambda log: access_from_environment(env, log=log)) as running:
        yield running


@pytest.fixture
def server(served):
    served.refusals()  # those of the test before
    return served


@pytest.mark.parametrize(("forge", "reason"), FORGED)
def test_a_forged_token_is_refused_and_logged_once_without_its_text(server, issuer, forge, reason):
    token = forge(issuer)
    answer = server("POST", "/who", token=token)
    assert answer.status_code == 401
    assert answer.headers["content-type"] == "application/problem+json"
    assert 'error="invalid_token"' in answer.headers["www-authenticate"]
    assert f'resource_metadata="{server.url}/.well-known' in answer.headers["www-authenticate"]
    told = answer.text + answer.headers["www-authenticate"] + server.everything_logged()
    for piece in [token, *token.split(".")]:
        assert len(piece) < 4 or piece not in told
    [line] = server.refusals()
    assert (line["status"], line["reason"], line["principal"]) == (401, reason, None)
    assert (line["client"], line["path"]) == ("127.0.0.1", "/who")


@pytest.mark.parametrize(
    ("claims", "scopes"),
    [
        pytest.param(dict, ["tasks:read", "tasks:write"], id="scope"),
        pytest.param(
            lambda: {"scope": None, "scp": ["tasks:read", "tasks:write"]},
            ["tasks:read", "tasks:write"],
            id="scp",
        ),
        pytest.param(
            lambda: {"exp": in_s(-5)}, ["tasks:read", "tasks:write"], id="clock-a-little-off"
        ),
        pytest.param(
            lambda: {"aud": ["https://a.example", "https://swarm.example.com/mcp"]},
            ["tasks:read", "tasks:write"],
            id="one-of-several-audiences",
        ),
    ],
)
def test_a_good_token_says_who_calls(server, issuer, claims, scopes):
    answer = server("POST", "/who", token=issuer.token(**claims()))
    assert answer.json() == {
        "principal": "ada",
        "operator": False,
        "scopes": scopes,
        "size": 0,
    }
    assert server.refusals() == []


@pytest.mark.parametrize("typ", ["at+jwt", "AT+JWT", "application/at+jwt", "JWT", None])
def test_access_tokens_have_the_types_that_issuers_write(server, issuer, typ):
    assert server("POST", "/who", token=typed(typ)(issuer)).json()["principal"] == "ada"


@pytest.mark.parametrize(("typ", "status"), [("at+jwt", 200), ("JWT", 401), (None, 401)])
def test_an_issuer_of_rfc_9068_is_held_to_it(guarded, issuer, typ, status):
    strict = guarded(**issuer.environment(), SQSWARM_JWT_TYP="at+jwt")
    assert strict("POST", "/who", token=typed(typ)(issuer)).status_code == status


def test_no_token_is_asked_for_without_an_error_word(server):
    answer = server("GET", "/mcp")
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == (
        'Bearer scope="tasks:read tasks:write", '
        f'resource_metadata="{server.url}/.well-known/oauth-protected-resource/mcp"'
    )
    assert [line["reason"] for line in server.refusals()] == ["no-credentials"]


def test_two_authorization_headers_are_a_bad_request(server, issuer):
    token = issuer.token()
    answer = server("GET", "/who", token=token, headers=[("Authorization", "Bearer x")])
    assert answer.status_code == 400
    assert 'error="invalid_request"' in answer.headers["www-authenticate"]
    assert [line["reason"] for line in server.refusals()] == ["two-credentials"]


@pytest.mark.parametrize("header", ["Basic YTpi", "Bearer", "token"])
def test_another_scheme_is_refused(server, header):
    assert server("GET", "/who", headers=[("Authorization", header)]).status_code == 401
    assert len(server.refusals()) == 1


def test_a_token_in_the_address_counts_for_nothing(server, issuer):
    assert server("GET", f"/who?access_token={issuer.token()}").status_code == 401


CALL = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": {}}


TWICE = b'{"jsonrpc":"2.0","id":1,"method":"tools/call","method":"tools/list"}'


def list_but(method):
    return {"jsonrpc": "2.0", "id": 1, "method": method}


@pytest.mark.parametrize(
    ("scope", "method", "path", "body", "wanted"),
    [
        pytest.param("tasks:read", "POST", "/tasks", {}, "tasks:write", id="read-only-posts"),
        pytest.param("tasks:write", "GET", "/tasks", None, "tasks:read", id="write-only-reads"),
        pytest.param("operator", "GET", "/tasks", None, "tasks:read", id="operator-alone"),
        pytest.param("", "GET", "/tasks", None, "tasks:read", id="none"),
        pytest.param("tasks:read:all", "GET", "/tasks", None, "tasks:read", id="longer-name"),
        pytest.param("tasks:read", "POST", "/mcp", CALL, "tasks:write", id="mcp-call"),
        pytest.param(
            "tasks:read", "POST", "/mcp", [list_but("ping"), CALL], "tasks:write", id="mcp-batch"
        ),
        pytest.param(
            "tasks:read", "POST", "/mcp", list_but("tasks/cancel"), "tasks:write", id="mcp-cancel"
        ),
        pytest.param("tasks:read", "POST", "/mcp", "x", "tasks:write", id="mcp-nonsense"),
        pytest.param("tasks:read", "POST", "/mcp", TWICE, "tasks:write", id="mcp-two-methods"),
        pytest.param("tasks:read", "POST", "//mcp", CALL, "tasks:write", id="mcp-two-slashes"),
        pytest.param(
            "tasks:write", "POST", "/mcp", list_but("tools/list"), "tasks:read", id="mcp-list"
        ),
    ],
)
def test_a_missing_scope_is_named(server, issuer, scope, method, path, body, wanted):
    token = issuer.token(scope=scope)
    # What a header says of the method counts for nothing.
    given = [("Mcp-Method", "tools/list")]
    sent = {"content": body} if isinstance(body, bytes) else {"json": body}
    answer = server(method, path, token=token, headers=given, **sent)
    assert answer.status_code == 403
    challenge = answer.headers["www-authenticate"]
    assert 'error="insufficient_scope"' in challenge
    assert f'scope="{wanted}"' in challenge
    assert "resource_metadata=" in challenge
    [line] = server.refusals()
    assert (line["status"], line["reason"], line["principal"]) == (
        403,
        "insufficient-scope",
        "ada",
    )


@pytest.mark.parametrize("method", ["tools/list", "initialize", "notifications/initialized"])
def test_reading_over_mcp_needs_no_more_than_the_read_scope(server, issuer, method):
    token = issuer.token(scope="tasks:read")
    assert server("POST", "/mcp", token=token, json=list_but(method)).status_code == 200


def test_the_operator_scope_makes_an_operator(server, issuer):
    token = issuer.token(scope="tasks:read operator")
    assert server("GET", "/who", token=token).json()["operator"] is True


@pytest.mark.parametrize("resource", ["", "/mcp"])
def test_anybody_may_read_where_to_get_a_token(server, issuer, resource):
    answer = server("GET", f"/.well-known/oauth-protected-resource{resource}")
    assert answer.status_code == 200
    assert answer.json() == {
        "resource": server.url + resource,
        "authorization_servers": [issuer.url],
        "scopes_supported": ["tasks:read", "tasks:write", "operator"],
        "bearer_methods_supported": ["header"],
        "resource_name": "sqswarm",
    }


def test_the_metadata_is_what_the_mcp_sdk_expects(server):
    from mcp.shared.auth import ProtectedResourceMetadata

    answer = server("GET", "/.well-known/oauth-protected-resource/mcp")
    assert str(ProtectedResourceMetadata.model_validate(answer.json()).resource).endswith("/mcp")


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


class Source:
    """A JWKS that counts its readers."""

    def __init__(self, issuer):
        self.issuer = issuer
        self.reads = 0
        self.fails = False

    def __call__(self):
        self.reads += 1
        if self.fails:
            raise OSError("down")
        return self.issuer.jwks()


@pytest.fixture
def rotating(issuer):
    before = (issuer.kid, issuer.key)
    yield issuer
    issuer.kid, issuer.key = before


async def test_a_rotated_key_is_fetched_once_the_cooldown_is_over(rotating, clock):
    source = Source(rotating)
    keys = KeySet(source, clock=clock)
    assert await keys.find("first")
    rotating.rotate("second")
    assert await keys.find("second") is None  # fetched a moment ago
    clock.now += COOLDOWN_S
    assert (await keys.find("second")).key_id == "second"
    assert await keys.find("first") is None
    assert source.reads == 2


async def test_made_up_key_ids_do_not_become_requests_to_the_issuer(issuer, clock):
    source = Source(issuer)
    keys = KeySet(source, clock=clock)
    for number in range(50):
        assert await keys.find(f"made-up-{number}") is None
    assert source.reads == 1


async def test_the_old_keys_serve_on_for_a_day_while_the_issuer_is_down(issuer, clock):
    source = Source(issuer)
    keys = KeySet(source, clock=clock)
    assert await keys.find("first")
    source.fails = True
    clock.now += LIFESPAN_S
    for _ in range(5):
        assert await keys.find("first")
    assert source.reads == 2
    clock.now += STALE_S
    for _ in range(5):
        with pytest.raises(Unreachable):
            await keys.find("first")
    assert source.reads == 3


async def test_requests_at_once_fetch_the_keys_once(issuer, clock):
    import asyncio

    source = Source(issuer)
    keys = KeySet(source, clock=clock)
    assert all(await asyncio.gather(*[keys.find("first") for _ in range(20)]))
    assert source.reads == 1


def test_without_keys_nobody_is_let_in_and_the_log_says_why(guarded, issuer):
    issuer.broken = True
    try:
        server = guarded(**issuer.environment())
        answer = server("GET", "/who", token=issuer.token())
    finally:
        issuer.broken = False
    assert answer.status_code == 503
    assert answer.headers["retry-after"] == "30"
    [line] = server.refusals()
    assert line["event"] == "request.failed"
    assert "500" in line["fault"]
    assert "500" not in answer.text
