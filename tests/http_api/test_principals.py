"""Another principal's task is exactly like one that does not exist."""

import time
from secrets import randbits

import pytest
from forged_tokens import FORGED
from http_api_client import Api

from sqswarm.schemas.ids import new_task_id

pytestmark = pytest.mark.localstack


def shown(answer, task_id):
    """Everything a caller can see of an answer, but for the id that was asked for."""
    headers = [(k, v) for k, v in answer.headers.multi_items() if k != "date"]
    return answer.status_code, headers, answer.content.replace(task_id.encode(), b"ID")


ASKED = [
    pytest.param("GET", "", None, id="get"),
    pytest.param("GET", "?wait=1", None, id="wait"),
    pytest.param("POST", "/cancel", None, id="cancel"),
    pytest.param("POST", "/answers", {"approve": {"approved": True}}, id="answer"),
    pytest.param("POST", "/signals", {"topic": "go", "value": 1}, id="send"),
]


@pytest.fixture(scope="module")
def asking(served, issuer):
    """A task of Ada's that waits for an answer."""
    ada = Api(served, issuer.token("ada"))
    task_id = ada.submit("orchestrate", width=1)
    task = ada.until(task_id, "input_required")
    return task_id, next(iter(task["inputRequests"]))


@pytest.mark.parametrize(("method", "rest", "body"), ASKED)
def test_anothers_task_is_byte_for_byte_like_an_unknown_one(bo, asking, method, rest, body):
    bo.served.refusals()
    task_id, key = asking
    if body and "approve" in body:
        body = {key: body["approve"]}
    unknown = new_task_id(time.time_ns() // 1_000_000, randbits)
    answers = [shown(bo(method, f"/tasks/{i}{rest}", json=body), i) for i in (task_id, unknown)]
    assert answers[0] == answers[1]
    assert answers[0][0] == 404
    lines = bo.served.refusals()
    assert [(line["status"], line["principal"]) for line in lines] == [(404, "bo")] * 2


def test_the_owner_still_has_it_untouched_and_the_other_never_lists_it(api, bo, operator, asking):
    task_id, key = asking
    assert api("GET", f"/tasks/{task_id}").json()["status"] == "input_required"
    listed = bo("GET", "/tasks?limit=200").json()["tasks"]
    assert task_id not in {task["taskId"] for task in listed}
    assert operator("GET", f"/tasks/{task_id}").json()["principal"] == "ada"
    answer = operator("POST", f"/tasks/{task_id}/answers", json={key: {"approved": False}})
    assert answer.status_code == 200
    assert api.until(task_id, "completed")


def test_cancelling_an_unknown_task_leaves_nothing_behind(bo, api):
    unknown = new_task_id(time.time_ns() // 1_000_000, randbits)
    assert bo("POST", f"/tasks/{unknown}/cancel").status_code == 404
    assert bo("GET", f"/tasks/{unknown}").status_code == 404


def test_the_same_idempotency_key_is_anothers_own(api, bo):
    new = {"agent": "add", "arguments": {"a": 1}, "idempotency_key": f"shared {time.time()}"}
    ids = {who("POST", "/tasks", json=new).json()["taskId"] for who in (api, bo)}
    assert len(ids) == 2


@pytest.mark.parametrize("forge", [pytest.param(p.values[0], id=p.id) for p in FORGED])
def test_a_forged_token_starts_no_task(served, issuer, api, forge):
    before = len(api("GET", "/tasks?agent=counted").json()["tasks"])
    served.refusals()
    new = {"agent": "counted", "arguments": {"number": 1}}
    assert served("POST", "/tasks", token=forge(issuer), json=new).status_code == 401
    [line] = served.refusals()
    assert line["status"] == 401
    assert len(api("GET", "/tasks?agent=counted").json()["tasks"]) == before
