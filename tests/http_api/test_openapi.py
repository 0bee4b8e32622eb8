"""The document says what the API does: its schemas hold together, and every answer fits them."""

import json

import pytest
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

pytestmark = pytest.mark.localstack


@pytest.fixture
def document(api):
    answer = api("GET", "/openapi.json")
    assert answer.status_code == 200
    return answer.json()


@pytest.fixture
def fits(document):
    """Hold an answer against what the document says of this path, method and status."""
    resource = Resource.from_contents(document, default_specification=DRAFT202012)
    registry = Registry().with_resource("urn:document", resource)

    def check(answer, method, path):
        told = document["paths"][path][method.lower()]["responses"][str(answer.status_code)]
        media_type = answer.headers["content-type"]
        reference = told["content"][media_type]["schema"]["$ref"]
        schema = {"$ref": f"urn:document{reference}"}
        Draft202012Validator(schema, registry=registry).validate(answer.json())
        return answer.json()

    return check


def references(value):
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for part in value.values():
            yield from references(part)
    elif isinstance(value, list):
        for part in value:
            yield from references(part)


def test_every_reference_leads_to_a_good_schema(document):
    for name, schema in document["components"]["schemas"].items():
        Draft202012Validator.check_schema(schema)
        assert schema, name
    for reference in references(document):
        found = document
        for step in reference.removeprefix("#/").split("/"):
            found = found[step]


def test_every_route_is_told(document):
    told = {(path, method) for path, methods in document["paths"].items() for method in methods}
    assert told == {
        ("/tasks", "post"),
        ("/tasks", "get"),
        ("/tasks/{task_id}", "get"),
        ("/tasks/{task_id}/cancel", "post"),
        ("/tasks/{task_id}/answers", "post"),
        ("/tasks/{task_id}/signals", "post"),
        ("/events/{topic}", "post"),
        ("/agents", "get"),
    }
    names = [each["operationId"] for paths in document["paths"].values() for each in paths.values()]
    assert len(set(names)) == len(names)


def test_an_agents_arguments_are_told_with_the_agent(document):
    schemas = document["components"]["schemas"]
    assert schemas["arguments.add"]["properties"]["a"]["type"] == "integer"
    new_task = {"$ref": "#/components/schemas/NewTask", "components": document["components"]}
    validator = Draft202012Validator(new_task)
    assert validator.is_valid({"agent": "add", "arguments": {"a": 1}})
    assert not validator.is_valid({"agent": "add", "arguments": {"a": "one"}})
    assert not validator.is_valid({"agent": "add"})
    assert not validator.is_valid({"agent": "nobody", "arguments": {}})


def test_every_answer_of_a_whole_story_fits_the_document(api, fits):
    def call(method, path, template=None, **more):
        return fits(api(method, path, **more), method, template or path)

    call("GET", "/agents")
    body = {"agent": "orchestrate", "arguments": {"width": 1}, "session_id": "s"}
    task = call("POST", "/tasks", json=body)
    one, cancel, answers = (
        "/tasks/{task_id}",
        "/tasks/{task_id}/cancel",
        "/tasks/{task_id}/answers",
    )
    path = f"/tasks/{task['taskId']}"
    while task["status"] == "working":
        task = call("GET", f"{path}?wait=10", one)
    key = next(iter(task["inputRequests"]))
    signal = {"topic": "go", "value": [1], "idempotency_key": "1"}
    for _ in range(2):
        call("POST", f"{path}/signals", "/tasks/{task_id}/signals", json=signal)
    call("POST", f"{path}/signals", "/tasks/{task_id}/signals", json={**signal, "value": 2})
    call("POST", f"{path}/answers", answers, json={key: {"approved": 1}})
    call("POST", f"{path}/answers", answers, json={key: {"approved": True}})
    call("GET", "/tasks?limit=20", "/tasks")
    while (task := call("GET", f"{path}?wait=10", one))["status"] == "working":
        pass
    assert json.dumps(task["result"])
    call("POST", f"{path}/cancel", cancel)
    late = {"topic": "go", "value": 1}
    call("POST", f"{path}/signals", "/tasks/{task_id}/signals", json=late)
    call("POST", "/events/words", "/events/{topic}", json={"text": "x"})
    call("POST", "/events/nothing", "/events/{topic}", json={"text": "x"})
    call("POST", "/tasks", json={"agent": "nobody"})
    call("POST", "/tasks", json={"agent": "moody", "arguments": {"mood": "fails"}})
    call("GET", "/tasks/seven", one)
    call("GET", "/tasks?limit=0", "/tasks")
    failing = call("POST", "/tasks", json={"agent": "moody", "arguments": {"mood": "fails"}})
    while call("GET", f"/tasks/{failing['taskId']}?wait=10", one)["status"] == "working":
        pass
