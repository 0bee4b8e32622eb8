"""Other ways in: a message sent straight to an agent's queue, and EventBridge rules."""

import json
import time
from secrets import randbits

import pytest

from sqswarm.schemas.ids import adopted_task_id, new_task_id
from sqswarm.schemas.message import Message

pytestmark = [pytest.mark.localstack, pytest.mark.timeout(180)]

PREFIX = "sqswarm-dev"
QUEUE = f"arn:aws:sqs:us-east-1:000000000000:{PREFIX}-echo"


def message(task_id, text):
    """What docs/http.md says, by hand."""
    return {
        "jsonrpc": "2.0",
        "id": task_id,
        "method": "tools/call",
        "params": {
            "name": "echo",
            "arguments": {"text": text},
            "_meta": {"dev.sqswarm/principal": "ada"},
        },
    }


@pytest.fixture
def found(api):
    """Wait for a task that is recorded only when a worker takes it."""

    def wait(task_id):
        ends = time.monotonic() + 30
        while api("GET", f"/tasks/{task_id}").status_code == 404:
            assert time.monotonic() < ends, f"task {task_id} never came"
            time.sleep(0.1)
        return api.until(task_id, "completed")

    return wait


def test_a_message_sent_to_an_agents_queue_is_a_task(aws, found, bo):
    task_id = new_task_id(time.time_ns() // 1_000_000, randbits)
    url = aws("sqs").get_queue_url(QueueName=f"{PREFIX}-echo")["QueueUrl"]
    body = json.dumps(message(task_id, "by hand"))
    for _ in range(2):  # a repeat is the same task
        aws("sqs").send_message(QueueUrl=url, MessageBody=body)
    done = found(task_id)
    assert done["result"]["structuredContent"]["text"] == "by hand"
    assert (done["principal"], done["attempt"]) == ("ada", 1)
    assert bo("GET", f"/tasks/{task_id}").status_code == 404


def test_the_message_by_hand_is_the_one_the_swarm_writes():
    task_id = new_task_id(1, randbits)
    made = Message(id=task_id, name="echo", arguments={"text": "x"}, principal="ada")
    written = json.loads(made.encode())
    del written["params"]["_meta"]["progressToken"]  # may be left out
    assert written == message(task_id, "x")


@pytest.fixture
def events(aws):
    """Put one event on the default bus and return its id."""

    def put(detail):
        entry = {"Source": "shop", "DetailType": "order", "Detail": json.dumps(detail)}
        answer = aws("events").put_events(Entries=[entry])
        return answer["Entries"][0]["EventId"]

    return put


@pytest.fixture
def rule(aws):
    """A rule for orders of the shop, with one target."""
    name = f"{PREFIX}-orders"
    made = []

    def make(target):
        pattern = json.dumps({"source": ["shop"], "detail-type": ["order"]})
        aws("events").put_rule(Name=name, EventPattern=pattern)
        aws("events").put_targets(Rule=name, Targets=[{"Id": "swarm", **target}])
        made.append(target)

    yield make
    if made:
        aws("events").remove_targets(Rule=name, Ids=["swarm"])
        aws("events").delete_rule(Name=name)


def test_a_rule_sends_events_to_an_agents_queue(rule, events, found):
    template = json.dumps(message("<id>", "<text>"))
    paths = {"id": "$.id", "text": "$.detail.note"}
    rule(
        {
            "Arn": QUEUE,
            "InputTransformer": {"InputPathsMap": paths, "InputTemplate": template},
        }
    )
    event_id = events({"note": "wrapped as a gift"})
    done = found(adopted_task_id(event_id, "echo"))
    assert done["result"]["structuredContent"]["text"] == "wrapped as a gift"


def test_a_rule_calls_the_http_api(aws, rule, events, served, issuer, api):
    """An API destination: arguments are checked, and the event's id makes a repeat one task."""
    connection = aws("events").create_connection(
        Name=f"{PREFIX}-door",
        AuthorizationType="API_KEY",
        AuthParameters={
            "ApiKeyAuthParameters": {
                "ApiKeyName": "Authorization",
                "ApiKeyValue": f"Bearer {issuer.token('ada')}",
            }
        },
    )
    destination = aws("events").create_api_destination(
        Name=f"{PREFIX}-tasks",
        ConnectionArn=connection["ConnectionArn"],
        InvocationEndpoint=f"{served.url}/tasks",
        HttpMethod="POST",
    )
    body = {"agent": "echo", "arguments": {"text": "<text>"}, "idempotency_key": "<id>"}
    rule(
        {
            "Arn": destination["ApiDestinationArn"],
            "RoleArn": "arn:aws:iam::000000000000:role/events",
            "InputTransformer": {
                "InputPathsMap": {"id": "$.id", "text": "$.detail.note"},
                "InputTemplate": json.dumps(body),
            },
        }
    )
    event_id = events({"note": "by post"})
    ends = time.monotonic() + 30
    while time.monotonic() < ends:
        tasks = api("GET", "/tasks?agent=echo&status=completed").json()["tasks"]
        texts = [api("GET", f"/tasks/{t['taskId']}").json()["result"] for t in tasks]
        if any(r["structuredContent"]["text"] == "by post" for r in texts):
            break
        time.sleep(0.3)
    else:
        pytest.fail(f"the event {event_id} started no task; refused: {served.refusals()}")
    again = api(
        "POST",
        "/tasks",
        json={**body, "arguments": {"text": "by post"}, "idempotency_key": event_id},
    )
    assert again.json()["status"] == "completed"
