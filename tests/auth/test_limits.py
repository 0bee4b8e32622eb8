"""Limits: a principal's flood is its own, and slow clients are cut."""

import json
import socket
import time
from contextlib import ExitStack, closing, suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sqswarm import TaskContext, agent
from sqswarm.backends.memory.store import MemoryStore
from sqswarm.dispatcher.lifecycle.cancel import cancel
from sqswarm.dispatcher.server import limits as limits_module
from sqswarm.dispatcher.server.auth import access_from_environment
from sqswarm.dispatcher.server.limits import Accounts, LimitReached, Limits
from sqswarm.schemas.errors import InvalidSettings
from sqswarm.testing.memory_stage import MemoryStage

ADA, BO = "ada-" + "k" * 28, "bo-" + "k" * 29
KEYS = {"SQSWARM_AUTH": "key", "SQSWARM_API_KEYS": f"ada:{ADA}, bo:{BO}"}


class Clock:
    now = 1000.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@given(waits=st.lists(st.floats(0, 2), max_size=200), most=st.integers(1, 20))
def test_no_second_ever_has_more_than_two_seconds_requests(waits, most):
    clock, let_in = Clock(), []
    account = Accounts(Limits(requests=most), clock=clock).of("ada")
    for wait in waits:
        clock.now += wait / most
        try:
            account.take_request()
        except LimitReached:
            continue
        let_in.append(clock.now)
    for at in let_in:
        assert sum(at <= other < at + 1 for other in let_in) <= 2 * most
    clock.now += 1
    for _ in range(most):  # a pause of a second gives a second's requests back
        account.take_request()
    with pytest.raises(LimitReached):
        account.take_request()


def test_one_principals_flood_leaves_the_others_theirs(clock):
    accounts = Accounts(Limits(requests=1), clock=clock)
    accounts.of("ada").take_request()
    with pytest.raises(LimitReached, match="1 requests a second") as reached:
        accounts.of("ada").take_request()
    assert "SQSWARM_LIMIT_REQUESTS" in reached.value.hint
    accounts.of("bo").take_request()


def test_what_is_remembered_is_bounded(clock, monkeypatch):
    monkeypatch.setattr(limits_module, "PRINCIPALS", 3)
    monkeypatch.setattr(limits_module, "REMEMBERED_TASKS", 10)
    accounts = Accounts(Limits(), clock=clock)
    first = accounts.of("0")
    for name in "123":
        accounts.of(name)
    assert accounts.of("3") is accounts.of("3")
    assert accounts.of("0") is not first  # the one that was silent the longest
    accounts.of("0").add_tasks({f"a{n}": "wait" for n in range(6)})
    accounts.of("3").add_tasks({f"b{n}": "wait" for n in range(6)})
    accounts.of("3")
    assert not accounts.of("0").tasks


@agent(durability="durable")
async def wait(*, ctx: TaskContext) -> bool:
    """Ask a person."""
    return bool((await ctx.ask("go", "Go on?", bool)).value)


class ReadStore(MemoryStore):
    """Notes what is read at once."""

    def __init__(self):
        super().__init__()
        self.reads = []

    async def read_many(self, keys):
        self.reads.append(list(keys))
        return await super().read_many(keys)


@pytest.fixture
def swarm():
    return MemoryStage(wait, store=ReadStore())


async def test_a_principal_has_so_many_tasks_until_some_have_ended(clock, swarm):
    account = Accounts(Limits(tasks=2), clock=clock).of("me")
    ids = [await swarm.submit(wait) for _ in range(2)]
    swarm.store.reads.clear()
    for task_id in ids:
        await account.make_room(swarm.connection)
        account.add_tasks({task_id: "wait"})
    assert swarm.store.reads == []  # nothing is asked of AWS before the limit
    for _ in range(100):
        with pytest.raises(LimitReached, match="2 tasks that have not ended"):
            await account.make_room(swarm.connection)
    [keys] = swarm.store.reads  # and once a second at it, a record a task
    assert len(keys) == 2
    await swarm.settle_down()  # both wait for an answer: they have not ended
    clock.now += 1
    with pytest.raises(LimitReached):
        await account.make_room(swarm.connection)
    await cancel(swarm.connection, ids[1], agent="wait")
    clock.now += 1
    await account.make_room(swarm.connection)
    assert list(account.tasks) == [ids[0]]


async def test_a_task_without_a_record_counts_for_an_hour(clock, swarm):
    account = Accounts(Limits(tasks=1), clock=clock).of("me")
    account.add_tasks({"01a20f23-d7aa-7676-bbab-5ca23d0204a1": "wait"})
    clock.now += 3599
    with pytest.raises(LimitReached):
        await account.make_room(swarm.connection)
    clock.now += 2
    await account.make_room(swarm.connection)


async def test_those_in_front_that_go_on_do_not_hide_one_that_has_ended(clock, swarm):
    account = Accounts(Limits(tasks=150), clock=clock).of("me")
    ids = [await swarm.submit(wait) for _ in range(150)]
    account.add_tasks(dict.fromkeys(ids, "wait"))
    await cancel(swarm.connection, ids[-1], agent="wait")
    with pytest.raises(LimitReached):
        await account.make_room(swarm.connection)
    clock.now += 1
    await account.make_room(swarm.connection)


async def test_delays_are_counted_until_they_are_over(clock, swarm):
    account = Accounts(Limits(delayed=1), clock=clock).of("me")
    task_id = await swarm.submit(wait, {"delay_s": 60})
    account.add_tasks({task_id: "wait"}, delay_s=60)
    with pytest.raises(LimitReached, match="1 delayed tasks") as reached:
        await account.make_room(swarm.connection, delay_s=5)
    assert reached.value.limit == "delayed"
    await account.make_room(swarm.connection)  # one without a delay is none
    clock.now += 61
    await account.make_room(swarm.connection, delay_s=5)


def test_streams_follow_so_many_tasks(clock):
    account = Accounts(Limits(subscriptions=3), clock=clock).of("ada")
    with account.follow(2):
        with pytest.raises(LimitReached, match="3 tasks that streams follow"), account.follow(2):
            pass
        with account.follow(1):
            pass
    with account.follow(3):
        pass


@pytest.mark.parametrize("value", ["0", "-1", "many", "1.5"])
def test_a_limit_that_is_none_is_refused(value):
    with pytest.raises(InvalidSettings, match="SQSWARM_LIMIT_TASKS"):
        access_from_environment({"SQSWARM_LIMIT_TASKS": value})


def test_over_http_a_flood_is_told_when_to_come_back_and_the_others_hear_nothing(guarded):
    server = guarded(**KEYS, SQSWARM_LIMIT_REQUESTS="20")
    answers = [server("GET", "/who", token=ADA) for _ in range(60)]
    refused = [answer for answer in answers if answer.status_code == 429]
    assert len(refused) >= 20
    assert {answer.status_code for answer in answers} == {200, 429}
    assert [server("GET", "/who", token=BO).status_code for _ in range(10)] == [200] * 10
    problem = refused[0]
    assert problem.headers["content-type"] == "application/problem+json"
    assert problem.headers["retry-after"] == "1"
    assert problem.json()["type"] == "urn:sqswarm:problem:limit-reached"
    assert problem.json()["most"] == 20
    assert "SQSWARM_LIMIT_REQUESTS" in problem.json()["hint"]
    lines = [line for line in server.refusals() if line["status"] == 429]
    assert 1 <= len(lines) <= 5  # one a second: a flood does not fill the log
    assert {(line["reason"], line["principal"]) for line in lines} == {("limit-reached", "ada")}


def test_over_mcp_it_is_a_json_rpc_error(guarded):
    server = guarded(**KEYS, SQSWARM_LIMIT_REQUESTS="1")
    answers = [server("POST", "/mcp", token=ADA, json={}) for _ in range(5)]
    refused = next(answer for answer in answers if answer.status_code == 429)
    assert refused.headers["content-type"] == "application/json"
    assert refused.headers["retry-after"] == "1"
    error = refused.json()["error"]
    assert (error["code"], error["data"]["limit"]) == (429, "requests")
    assert "SQSWARM_LIMIT_REQUESTS" in error["message"]


def opened(server, sent=b""):
    connection = socket.create_connection(("127.0.0.1", server.port), timeout=20)
    connection.sendall(sent)
    return connection


def post(key, length):
    return (
        f"POST /who HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer {key}\r\n"
        f"Content-Length: {length}\r\n\r\n"
    ).encode()


def test_so_many_requests_of_one_principal_are_open_at_once(guarded):
    server = guarded(**KEYS, SQSWARM_LIMIT_OPEN="2")
    with ExitStack() as stack:
        held = [stack.enter_context(closing(opened(server, post(ADA, 4)))) for _ in range(2)]
        ends = time.monotonic() + 10
        while server("GET", "/who", token=ADA).status_code != 429:
            assert time.monotonic() < ends
        assert server("GET", "/who", token=BO).status_code == 200
        for connection in held:
            connection.sendall(b"late")
            assert connection.recv(100).split()[1] == b"200"
    assert server("GET", "/who", token=ADA).status_code == 200


def cut_after(connection):
    """Return the seconds until the server closes, and what it sent before."""
    began, got = time.monotonic(), b""
    try:
        while part := connection.recv(1000):
            got += part
    except ConnectionResetError:
        pass
    return time.monotonic() - began, got


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"GET /who HT", id="half-a-line"),
        pytest.param(b"GET /who HTTP/1.1\r\nHost: localhost\r\nX: ", id="half-a-head"),
    ],
)
def test_half_a_head_is_cut(guarded, sent):
    server = guarded(SQSWARM_LIMIT_READ_S="1")
    with closing(opened(server, sent)) as connection:
        seconds, got = cut_after(connection)
    assert got == b""
    assert seconds < 10


def test_a_head_that_comes_in_drops_is_cut_all_the_same(guarded):
    server = guarded(SQSWARM_LIMIT_READ_S="1")
    with closing(opened(server, b"GET /who HTTP/1.1\r\n")) as connection:
        with suppress(OSError):
            for drops in range(100):  # noqa: B007 - each is well within the second
                connection.sendall(b"X: y\r\n")
                time.sleep(0.1)
        assert drops < 50


def test_a_second_requests_half_a_head_is_cut_too(guarded):
    server = guarded(SQSWARM_LIMIT_READ_S="1")
    with closing(opened(server, b"GET /who HTTP/1.1\r\nHost: localhost\r\n\r\n")) as connection:
        assert connection.recv(1000).split()[1] == b"200"
        connection.sendall(b"GET /who HT")
        seconds, _ = cut_after(connection)
    assert seconds < 4  # keep-alive alone would let it live


@pytest.mark.parametrize("body", [b"", b"abc"])
def test_half_a_body_is_answered_and_cut(guarded, body):
    server = guarded(**KEYS, SQSWARM_LIMIT_READ_S="1")
    with closing(opened(server, post(ADA, 100) + body)) as connection:
        seconds, got = cut_after(connection)
    assert got.split()[1] == b"408"
    assert json.loads(got.partition(b"\r\n\r\n")[2])["title"] == "Body too slow"
    assert seconds < 10
    [line] = server.refusals()
    assert (line["status"], line["reason"], line["principal"]) == (408, "body-too-slow", "ada")


def test_a_crowd_of_connections_from_one_address_is_cut_and_makes_room_when_it_goes(guarded):
    server = guarded(SQSWARM_LIMIT_PEER_CONNECTIONS="3")
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(closing(opened(server)))
        with closing(opened(server)) as over:
            assert cut_after(over)[0] < 5
    ends = time.monotonic() + 10
    while True:
        try:
            assert server("GET", "/who").status_code == 200
            return
        except Exception:
            assert time.monotonic() < ends
            time.sleep(0.05)


def test_more_connections_than_there_are_is_a_503(guarded):
    server = guarded(SQSWARM_LIMIT_CONNECTIONS="3")
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(closing(opened(server)))
        assert server("GET", "/who").status_code == 503
