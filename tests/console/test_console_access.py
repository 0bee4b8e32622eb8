"""Who may open the console: no browser needed to be refused."""

import http.client
import socket
import subprocess
import sys

import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route, WebSocketRoute
from starlette.testclient import TestClient
from starlette.websockets import WebSocketDisconnect

from sqswarm.infra.console.access import ConsoleAccess

PORT = 4321
HOST = f"127.0.0.1:{PORT}"


async def _hello(websocket):
    await websocket.accept()
    await websocket.send_text("hello")
    await websocket.close()


@pytest.fixture
def access():
    routes = [
        Route("/tasks", lambda _: PlainTextResponse("tasks")),
        WebSocketRoute("/socket", _hello),
    ]
    return ConsoleAccess(Starlette(routes=routes), port=PORT)


@pytest.fixture
def browser(access):
    with TestClient(access, base_url=f"http://{HOST}", follow_redirects=False) as client:
        yield client


@pytest.fixture
def admitted(access, browser):
    browser.get(f"/tasks?token={access.token}")
    return browser


def test_a_token_becomes_a_cookie_that_no_script_and_no_other_site_gets(access, browser):
    answer = browser.get(f"/tasks?status=failed&token={access.token}&agent=a%26b")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/tasks?status=failed&agent=a%26b"
    cookie = answer.headers["set-cookie"]
    assert "HttpOnly" in cookie
    assert "SameSite=strict" in cookie
    assert access.token not in cookie
    assert browser.get("/tasks").text == "tasks"


@pytest.mark.parametrize(
    "query", ["", "?token=", "?token=wrong", "?token=\udcff".encode("utf-8", "ignore").decode()]
)
def test_without_the_token_nothing_is_shown(browser, query):
    answer = browser.get(f"/tasks{query}")
    assert answer.status_code == 401
    assert "Location" not in answer.headers
    assert "set-cookie" not in answer.headers


def test_a_token_for_a_browser_that_is_started_is_taken_once(access, browser):
    once = access.once()
    assert browser.get(f"/tasks?token={once}").status_code == 303
    browser.cookies.clear()
    assert browser.get(f"/tasks?token={once}").status_code == 401


def test_the_address_line_is_cleared_of_a_token_also_where_there_is_a_cookie(access, admitted):
    answer = admitted.get(f"/tasks?token={access.token}")
    assert answer.status_code == 303
    assert answer.headers["location"] == "/tasks"


def test_a_token_leads_to_no_other_server(access, browser):
    answer = browser.get(f"http://{HOST}//evil.example/?token={access.token}")
    assert answer.headers["location"] == "/evil.example/"


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        pytest.param({"Host": "evil.example"}, 421, id="another-name"),
        pytest.param({"Host": f"127.0.0.1:{PORT + 1}"}, 421, id="another-port"),
        pytest.param({"Origin": "http://evil.example"}, 403, id="another-origin"),
        pytest.param({"Origin": f"http://127.0.0.1:{PORT + 1}"}, 403, id="a-server-next-door"),
        pytest.param({"Origin": "null"}, 403, id="no-origin-of-its-own"),
        pytest.param({"Sec-Fetch-Site": "cross-site"}, 403, id="an-image-elsewhere"),
        pytest.param({"Sec-Fetch-Site": "same-site"}, 403, id="an-image-next-door"),
    ],
)
def test_another_page_is_refused_whatever_it_holds(access, admitted, headers, status):
    assert admitted.get("/tasks", headers=headers).status_code == status
    assert admitted.get(f"/tasks?token={access.token}", headers=headers).status_code == status
    with (
        pytest.raises(WebSocketDisconnect),
        admitted.websocket_connect(f"ws://{HOST}/socket", headers=headers),
    ):
        pass


def test_a_websocket_needs_the_cookie_too(access, browser):
    with pytest.raises(WebSocketDisconnect), browser.websocket_connect(f"ws://{HOST}/socket"):
        pass
    with (
        pytest.raises(WebSocketDisconnect),
        browser.websocket_connect(f"ws://{HOST}/socket?token={access.token}"),
    ):
        pass


def test_an_admitted_browser_has_its_websocket(admitted):
    own = {"Origin": f"http://{HOST}"}
    with admitted.websocket_connect(f"ws://{HOST}/socket", headers=own) as websocket:
        assert websocket.receive_text() == "hello"


def test_pages_say_that_nothing_else_may_frame_feed_or_hear_them(admitted):
    headers = admitted.get("/tasks").headers
    assert "frame-ancestors 'none'" in headers["Content-Security-Policy"]
    assert "connect-src 'self'" in headers["Content-Security-Policy"]
    assert headers["Referrer-Policy"] == "no-referrer"
    assert headers["Cross-Origin-Opener-Policy"] == "same-origin"


def test_a_crowd_of_browsers_does_not_grow_for_ever(access, browser):
    for _ in range(100):
        browser.cookies.clear()
        assert browser.get(f"/tasks?token={access.token}").status_code == 303
    assert len(access._sessions) == 64
    assert browser.get("/tasks").status_code == 200


@pytest.mark.localstack
def test_the_console_listens_on_this_machine_alone_and_leaves_nothing_on_disk(console):
    port = int(console.base.rpartition(":")[2])
    mine = next(iter({i[4][0] for i in socket.getaddrinfo(socket.gethostname(), None)}))
    if not mine.startswith("127."):
        with pytest.raises(OSError), socket.create_connection((mine, port), timeout=2):
            pass
    asked = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
    asked.request("GET", f"/?token={console.token}")
    assert asked.getresponse().status == 303
    asked.close()
    assert [one.name for one in console.log.parent.iterdir()] == ["console.log"]
    assert console.token not in console.log.read_text()


def test_what_makes_a_start_slow_is_not_loaded_before_somebody_needs_it():
    code = "import sys, sqswarm.infra.console.serve; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not {"aioboto3", "anthropic", "mcp", "troposphere"} & set(done.stdout.split())
