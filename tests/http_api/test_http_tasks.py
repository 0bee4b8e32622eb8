"""Tasks and events over HTTP, run by Lambda on the emulator."""

import time

import pytest

pytestmark = pytest.mark.localstack


def problem(answer):
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert body["status"] == answer.status_code
    return body


def test_a_task_is_submitted_found_at_its_location_and_waited_for(api):
    answer = api("POST", "/tasks", json={"agent": "echo", "arguments": {"text": "ü"}})
    assert answer.status_code == 201
    task = answer.json()
    assert (task["agent"], task["principal"]) == ("echo", "ada")
    assert answer.headers["location"] == f"/tasks/{task['taskId']}"
    assert api("GET", answer.headers["location"]).status_code == 200
    done = api.until(task["taskId"], "completed")
    assert done["result"]["structuredContent"]["text"] == "ü"
    listed = api("GET", "/tasks?status=completed&agent=echo&limit=200").json()["tasks"]
    assert task["taskId"] in {one["taskId"] for one in listed}
    assert {one["principal"] for one in listed} == {"ada"}
    assert api.served.refusals() == []


def test_tags_filter_a_listing_page_by_page(api):
    tags = {"tenant": "acme", "team": "a=b"}
    made = {
        api(
            "POST", "/tasks", json={"agent": "echo", "arguments": {"text": "t"}, "tags": tags}
        ).json()["taskId"]
        for _ in range(3)
    }
    for task_id in made:
        assert api.until(task_id, "completed")["tags"] == tags
    found, cursor = [], ""
    while True:
        path = f"/tasks?tag=tenant=acme&tag=team=a%3Db&since=1h&limit=2{cursor}"
        page = api("GET", path).json()
        found += [task["taskId"] for task in page["tasks"]]
        if "cursor" not in page:
            break
        cursor = f"&cursor={page['cursor']}"
    assert sorted(found) == sorted(made)
    assert api("GET", "/tasks?tag=tenant=globex").json()["tasks"] == []


def test_nobody_is_told_whom_the_stage_does_not_name(api):
    asked = {"agent": "echo", "arguments": {"text": "t"}, "notify": ["https://example.com/hook"]}
    refused = api("POST", "/tasks", json=asked)
    assert refused.status_code == 403
    assert "does not tell https://example.com/hook" in refused.json()["detail"]


def test_a_failed_task_says_why(api):
    failed = api.until(api.submit("moody", mood="fails"), "failed")
    assert failed["error"]["data"]["type"] == "Fail"


def test_a_long_poll_ends_with_the_task_and_not_much_later(api):
    answer = api(
        "POST", "/tasks", json={"agent": "echo", "arguments": {"text": "later"}, "delay": 5}
    )
    path = f"/tasks/{answer.json()['taskId']}"
    assert api("GET", path).json()["status"] == "working"
    assert api("GET", f"{path}?wait=0.3").json()["status"] == "working"
    assert api("GET", f"{path}?wait=20").json()["status"] == "completed"


def test_questions_are_answered_in_parts_and_late_answers_ignored(api):
    task_id = api.submit("orchestrate", width=2)
    asked = api.until(task_id, "input_required")
    [(key, request)] = asked["inputRequests"].items()
    assert request["params"]["requestedSchema"]["required"] == ["approved"]
    path = f"/tasks/{task_id}/answers"
    wrong = problem(api("POST", path, json={key: {"approved": "perhaps"}}))
    assert wrong["status"] == 422
    assert "approved" in wrong["detail"]
    assert problem(api("POST", path, json={"another": 1}))["status"] == 422
    assert api("POST", path, json={key: {"approved": True}}).status_code == 200
    done = api.until(task_id, "completed")
    assert done["result"]["structuredContent"]["approved"] is True
    late = api("POST", path, json={key: {"approved": False}})
    assert (late.status_code, late.json()["status"]) == (200, "completed")


def test_a_signal_reaches_a_task_until_it_has_ended(api):
    task_id = api.submit("orchestrate", width=1)
    api.until(task_id, "input_required")
    path = f"/tasks/{task_id}/signals"
    signal = {"topic": "go", "value": {"n": 1}, "idempotency_key": "first"}
    for _ in range(2):
        sent = api("POST", path, json=signal)
        assert (sent.status_code, sent.json()["status"]) == (200, "input_required")
    assert problem(api("POST", path, json={**signal, "value": 2}))["status"] == 409
    assert problem(api("POST", path, json={"topic": "a#b", "value": 2}))["status"] == 422
    assert problem(api("POST", path, json={"topic": "go"}))["status"] == 422
    api("POST", f"/tasks/{task_id}/cancel")
    late = problem(api("POST", path, json={"topic": "go", "value": 2}))
    assert (late["status"], late["type"]) == (409, "urn:sqswarm:problem:task-ended")


def test_a_task_is_cancelled(api):
    task_id = api(
        "POST", "/tasks", json={"agent": "echo", "arguments": {"text": "x"}, "delay": 600}
    ).json()["taskId"]
    for _ in range(2):  # a repeat is no mistake
        answer = api("POST", f"/tasks/{task_id}/cancel")
        assert (answer.status_code, answer.json()["status"]) == (200, "cancelled")


def test_an_event_reaches_every_subscribed_agent(api):
    answer = api("POST", "/events/words?type=loud", json={"text": "hey"})
    assert answer.status_code == 202
    started = {task["agent"]: task["taskId"] for task in answer.json()["tasks"]}
    assert set(started) == {"echo", "shout"}
    done = api.until(started["shout"], "completed")
    assert done["result"]["structuredContent"] == {"result": "HEY"}


@pytest.mark.parametrize("place", ["header", "quoted-header", "body"])
def test_an_idempotency_key_makes_one_task(api, place):
    key = f"key of {place} {time.time()}"

    def submit(**arguments):
        body = {"agent": "add", "arguments": arguments}
        if place == "body":
            return api("POST", "/tasks", json={**body, "idempotency_key": key})
        value = f'"{key}"' if place == "quoted-header" else key
        return api("POST", "/tasks", json=body, headers=[("Idempotency-Key", value)])

    first, second = submit(a=1), submit(a=1)
    assert first.status_code == second.status_code == 201
    assert first.json()["taskId"] == second.json()["taskId"]
    conflict = problem(submit(a=2))
    assert (conflict["status"], conflict["type"]) == (
        409,
        "urn:sqswarm:problem:idempotency-conflict",
    )
    assert "idempotency_key" in conflict["hint"]


def test_agents_are_listed_with_their_schemas(api):
    agents = {agent["name"]: agent for agent in api("GET", "/agents").json()["agents"]}
    assert agents["add"]["inputSchema"]["required"] == ["a"]
    assert agents["orderly"]["ordered"] is True


NEW = {"agent": "add", "arguments": {"a": 1}}


@pytest.mark.parametrize(
    ("method", "path", "more", "status", "reason"),
    [
        pytest.param("POST", "/tasks", {"content": b"{"}, 400, "usage-error", id="no-json"),
        pytest.param("POST", "/tasks", {"content": b'{"a": NaN}'}, 400, "usage-error", id="nan"),
        pytest.param("POST", "/tasks", {"content": b"\xff"}, 400, "usage-error", id="no-utf-8"),
        pytest.param(
            "POST", "/tasks", {"content": b"[" * 100_000}, 400, "usage-error", id="deep-nesting"
        ),
        pytest.param("POST", "/tasks", {"json": []}, 422, "invalid-request", id="a-list"),
        pytest.param("POST", "/tasks", {"json": {}}, 422, "invalid-request", id="no-agent"),
        pytest.param(
            "POST", "/tasks", {"json": {**NEW, "x": 1}}, 422, "invalid-request", id="unknown-field"
        ),
        pytest.param(
            "POST",
            "/tasks",
            {"json": {**NEW, "delay": "5"}},
            422,
            "invalid-request",
            id="delay-in-text",
        ),
        pytest.param(
            "POST",
            "/tasks",
            {"json": {**NEW, "ordering_key": "two words"}},
            422,
            "invalid-request",
            id="ordering-key-with-a-space",
        ),
        pytest.param(
            "POST",
            "/tasks",
            {"json": {"agent": "add", "arguments": {"a": "one"}}},
            422,
            "invalid-arguments",
            id="wrong-arguments",
        ),
        pytest.param(
            "POST", "/tasks", {"json": {"agent": "ad"}}, 404, "unknown-agent", id="unknown-agent"
        ),
        pytest.param(
            "POST", "/tasks", {"data": {"agent": "add"}}, 415, "wrong-media-type", id="a-form"
        ),
        pytest.param(
            "POST",
            "/tasks",
            {
                "json": {**NEW, "idempotency_key": "a"},
                "headers": [("Idempotency-Key", "b")],
            },
            409,
            "idempotency-conflict",
            id="two-keys",
        ),
        pytest.param("POST", "/events/words", {"json": {}}, 422, "invalid-arguments", id="event"),
        pytest.param("POST", "/events/word", {"json": {}}, 404, "unknown-topic", id="topic"),
        pytest.param("GET", "/tasks/seven", {}, 404, "task-not-found", id="no-id"),
        pytest.param("GET", "/tasks/seven?wait=21", {}, 400, "usage-error", id="endless-wait"),
        pytest.param("GET", "/tasks/seven?wait=nan", {}, 400, "usage-error", id="wait-nan"),
        pytest.param("GET", "/tasks?status=done", {}, 400, "usage-error", id="no-such-status"),
        pytest.param("GET", "/tasks?limit=1000", {}, 400, "usage-error", id="too-many"),
        pytest.param("GET", "/tasks?since=soon", {}, 400, "usage-error", id="no-time"),
        pytest.param("GET", "/tasks?cursor=x", {}, 404, "unknown-cursor", id="no-cursor"),
        pytest.param("GET", "/tasks?tag=acme", {}, 400, "usage-error", id="no-tag"),
        pytest.param("GET", "/tasks?limit=1&limit=2", {}, 400, "usage-error", id="twice"),
        pytest.param("GET", "/agents?x=1", {}, 400, "usage-error", id="unknown-parameter"),
        pytest.param("DELETE", "/tasks", {}, 405, "method-not-allowed", id="method"),
        pytest.param("QUERY", "/tasks", {}, 405, "method-not-allowed", id="new-method"),
    ],
)
def test_what_cannot_be_done_is_refused_with_a_hint_and_logged_once(
    api, method, path, more, status, reason
):
    if "content" in more:
        more = {**more, "headers": [("Content-Type", "application/json")]}
    answer = api(method, path, **more)
    body = problem(answer)
    assert (body["status"], body["type"]) == (status, f"urn:sqswarm:problem:{reason}")
    assert body["hint"] if status != 405 else answer.headers["allow"] == "GET, HEAD, POST"
    [line] = api.served.refusals()
    assert (line["status"], line["reason"], line["principal"]) == (status, reason, "ada")


def test_wrong_arguments_come_with_the_schemas_reason(api):
    body = problem(api("POST", "/tasks", json={"agent": "add", "arguments": {"a": "one"}}))
    assert "a: 'one' is not of type 'integer'" in body["detail"]
    body = problem(api("POST", "/tasks", json={"agent": "add", "delay": -1}))
    assert body["errors"] == [
        {"at": "delay", "message": "Input should be greater than or equal to 0"}
    ]


def test_large_arguments_pass_and_too_large_bodies_do_not(api):
    text = "ü" * 100_000
    done = api.until(api.submit("echo", text=text), "completed")
    assert done["result"]["structuredContent"]["text"] == text
    too_large = {"agent": "echo", "arguments": {"text": "x" * 5_000_000}}
    assert problem(api("POST", "/tasks", json=too_large))["status"] == 413


def test_an_unknown_path_is_logged_once_too(api):
    assert api("GET", "/nowhere").status_code == 404
    [line] = api.served.refusals()
    assert line["reason"] == "not-found"


def test_the_head_of_an_answer_is_the_answers(api):
    assert api("HEAD", "/agents").status_code == 200
    assert api("HEAD", "/tasks/seven").status_code == 404
