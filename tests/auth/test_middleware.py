"""What every request has to pass, however callers are known: Host, Origin, size, key."""

import socket

import pytest

from sqswarm.dispatcher.server.auth.authenticators import LoopbackAuthenticator
from sqswarm.dispatcher.server.auth.identity import AuthError

ADA, BO = "ada-" + "k" * 28, "bo-" + "k" * 29
KEYS = {"SQSWARM_AUTH": "key", "SQSWARM_API_KEYS": f"ada:{ADA}, bo:{BO}"}


def raw(server, *lines):
    """Send a request as it is and return the status line's number."""
    with socket.create_connection(("127.0.0.1", server.port), timeout=10) as connection:
        connection.sendall("\r\n".join([*lines, "Connection: close", "", ""]).encode())
        answer = connection.makefile("rb").read()
    return int(answer.split()[1])


@pytest.fixture
def server(guarded):
    return guarded()


def test_on_its_own_machine_nobody_shows_credentials(server):
    assert server("GET", "/who").json()["principal"] == "local"
    assert server.refusals() == []


@pytest.mark.parametrize(
    "host",
    [
        "evil.example.com",
        "evil.example.com:80",
        "localhost.evil.example.com",
        "127.0.0.1.evil.example.com",
        "evil.example.com@127.0.0.1",
        "127.0.0.1:80:80",
        "127.0.0.1x",
        "",
    ],
)
def test_another_host_is_misdirected(server, host):
    assert raw(server, "GET /who HTTP/1.1", f"Host: {host}") == 421
    [line] = server.refusals()
    assert (line["status"], line["reason"]) == (421, "wrong-host")


@pytest.mark.parametrize("host", ["localhost", "LOCALHOST:1", "127.0.0.1:80", "[::1]:8000"])
def test_this_machine_answers_to_its_own_names(server, host):
    assert raw(server, "GET /who HTTP/1.1", f"Host: {host}") == 200


def test_two_hosts_are_none(server):
    lines = ["GET /who HTTP/1.1", "Host: localhost", "Host: evil.example.com"]
    assert raw(server, *lines) in {400, 421}


@pytest.mark.parametrize(
    "origin",
    ["http://evil.example.com", "null", "http://localhost:1", "https://127.0.0.1.evil.example.com"],
)
def test_a_page_of_another_site_is_refused(server, origin):
    answer = server("POST", "/who", headers=[("Origin", origin)])
    assert answer.status_code == 403
    assert "access-control-allow-origin" not in answer.headers
    assert [line["reason"] for line in server.refusals()] == ["wrong-origin"]


@pytest.mark.parametrize("site", ["cross-site", "same-site", "Cross-Site", "anything"])
@pytest.mark.parametrize("method", ["GET", "HEAD", "POST"])
def test_what_a_page_of_another_site_shows_is_refused_though_it_has_no_origin(server, site, method):
    answer = server(method, "/who", headers=[("Sec-Fetch-Site", site)])
    assert answer.status_code == 403
    assert [line["reason"] for line in server.refusals()] == ["wrong-origin"]


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_our_own_page_and_the_address_line_may_ask(server, site):
    assert server("GET", "/who", headers=[("Sec-Fetch-Site", site)]).status_code == 200


def test_a_configured_page_is_of_another_site_and_may_call(guarded):
    page = "https://app.example.com"
    server = guarded(**KEYS, SQSWARM_ORIGINS=page)
    asked = [("Origin", page), ("Sec-Fetch-Site", "cross-site")]
    assert server("GET", "/who", token=ADA, headers=asked).status_code == 200


def test_our_own_page_may_call(server):
    assert server("POST", "/who", headers=[("Origin", server.url)]).status_code == 200


def test_behind_a_proxy_our_own_page_is_that_of_the_public_address(guarded):
    server = guarded(**KEYS, SQSWARM_PUBLIC_URL="https://swarm.example.com")
    page = [("Origin", "https://swarm.example.com")]
    assert server("POST", "/who", token=ADA, headers=page).status_code == 200
    assert raw(server, "GET /who HTTP/1.1", "Host: swarm.example.com") == 401


@pytest.mark.parametrize("host", ['a"b', "a/b", "a b", "a,b", "", "user@a"])
def test_what_is_no_host_is_refused_even_where_any_name_is_taken(guarded, host):
    server = guarded(**KEYS, SQSWARM_HOSTS="*")
    assert raw(server, "GET /who HTTP/1.1", "Host: any.example.com:81") == 401
    assert raw(server, "GET /who HTTP/1.1", f"Host: {host}") in {400, 421}


def test_no_cors_headers_unless_configured(server):
    answer = server("GET", "/who", headers=[("Origin", server.url)])
    assert not [name for name in answer.headers if name.startswith("access-control")]


def test_a_configured_page_gets_cors_headers_even_on_a_refusal(guarded):
    page = "https://app.example.com"
    server = guarded(**KEYS, SQSWARM_ORIGINS=page)
    asked = [("Origin", page), ("Access-Control-Request-Method", "POST")]
    preflight = server("OPTIONS", "/who", headers=asked)
    assert preflight.status_code == 200
    refused = server("POST", "/who", headers=[("Origin", page)])
    assert refused.status_code == 401
    for answer in (preflight, refused):
        assert answer.headers["access-control-allow-origin"] == page
        assert "access-control-allow-credentials" not in answer.headers
    assert server("POST", "/who", headers=[("Origin", page + ".evil")]).status_code == 403


LIMIT = 1000


@pytest.fixture
def small(guarded):
    return guarded(SQSWARM_BODY_LIMIT=str(LIMIT))


def chunks(size):
    yield from [b"x" * 100] * (size // 100)


@pytest.mark.parametrize("body", [lambda n: b"x" * n, chunks], ids=["declared", "in-chunks"])
def test_a_body_over_the_limit_is_refused(small, body):
    assert small("POST", "/who", content=body(LIMIT)).json()["size"] == LIMIT
    answer = small("POST", "/who", content=body(LIMIT + 100))
    assert answer.status_code == 413
    assert answer.headers["content-type"] == "application/problem+json"
    [line] = small.refusals()
    assert (line["reason"], line["principal"]) == ("body-too-large", "local")


def test_a_declared_length_is_refused_before_anything_is_sent(small):
    assert raw(small, "POST /who HTTP/1.1", "Host: localhost", "Content-Length: 1001") == 413


def test_an_endless_body_is_cut_off(small):
    with socket.create_connection(("127.0.0.1", small.port), timeout=10) as connection:
        head = "POST /who HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n"
        connection.sendall(head.encode())
        for _ in range(11):
            connection.sendall(b"64\r\n" + b"x" * 100 + b"\r\n")
        assert connection.recv(100).split()[1] == b"413"


def test_half_a_request_is_none(small):
    with socket.create_connection(("127.0.0.1", small.port), timeout=10) as connection:
        head = "POST /crash HTTP/1.1\r\nHost: localhost\r\nContent-Length: 500\r\n\r\nhalf"
        connection.sendall(head.encode())
        connection.shutdown(socket.SHUT_WR)
        assert connection.recv(100) in {b""} | {b"HTTP/1.1 400 Bad Request"}
    assert small("GET", "/who").status_code == 200
    assert small.refusals() == []


def test_an_applications_own_failure_is_logged_once(server):
    assert server("POST", "/crash").status_code == 500
    [line] = server.refusals()
    assert (line["event"], line["status"], line["principal"]) == ("request.failed", 500, "local")


def test_a_key_says_who_calls(guarded):
    server = guarded(**KEYS, SQSWARM_OPERATORS="bo")
    assert server("GET", "/who", token=ADA).json()["principal"] == "ada"
    assert server("GET", "/who", token=ADA).json()["operator"] is False
    assert server("GET", "/who", token=BO).json()["operator"] is True


@pytest.mark.parametrize("key", [ADA[:-1], ADA + "x", "ada", f"ada:{ADA}", ADA.upper(), "ключ"])
def test_a_wrong_key_is_refused_and_nowhere_to_be_read(guarded, key):
    server = guarded(**KEYS)
    header = (b"Authorization", f"Bearer {key}".encode())
    answer = server("GET", "/who", headers=[header])
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"].startswith('Bearer error="invalid_token"')
    assert key == "ada" or key not in server.everything_logged() + answer.text
    assert [line["reason"] for line in server.refusals()] == ["unknown-key"]


def test_a_websocket_is_not_opened(server):
    assert (
        raw(
            server,
            "GET /who HTTP/1.1",
            "Host: localhost",
            "Upgrade: websocket",
            "Sec-WebSocket-Version: 13",
            "Sec-WebSocket-Key: x",
        )
        != 101
    )


@pytest.mark.parametrize(
    ("client", "local"),
    [
        pytest.param(("127.0.0.1", 1), True, id="loopback"),
        pytest.param(("127.9.9.9", 1), True, id="another-loopback"),
        pytest.param(("::1", 1), True, id="loopback-6"),
        pytest.param(("10.0.0.5", 1), False, id="next-door"),
        pytest.param(("203.0.113.9", 1), False, id="far-away"),
        pytest.param(("fe80::1%eth0", 1), False, id="link-local"),
        pytest.param(("localhost", 1), False, id="a-name"),
        pytest.param(None, False, id="unknown"),
    ],
)
async def test_without_credentials_only_this_machine_is_let_in(client, local):
    scope = {"type": "http", "headers": [], "client": client}
    if local:
        assert (await LoopbackAuthenticator().authenticate(scope)).principal == "local"
    else:
        with pytest.raises(AuthError) as refused:
            await LoopbackAuthenticator().authenticate(scope)
        assert (refused.value.status, refused.value.reason) == (403, "not-local")
