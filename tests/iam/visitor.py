"""Whoever uses the stage: over HTTP, through the server under its role."""

import json
import time
from dataclasses import replace
from secrets import randbits

from sqswarm import Swarm
from sqswarm.schemas.ids import new_task_id
from sqswarm.schemas.message import Message

LONG_S = 60


class Visitor:
    """The stage and its server's API."""

    def __init__(self, stage, served):
        self.stage = stage
        self._served = served

    def ask(self, method, path, **more):
        return self._served(method, path, **more)

    def redriven(self, task_id):
        """Redrive an ended task as the account; return the new one's id."""
        with Swarm.connect(replace(self.stage.settings, stage="iam"), operator=True) as swarm:
            new = swarm.redrive(task_id).id
        self.stage.account("dynamodb").update_item(
            TableName=self.stage.table,
            Key={"pk": {"S": f"task#plain#{new}"}, "sk": {"S": "task"}},
            UpdateExpression="SET principal = :me",
            ExpressionAttributeValues={":me": {"S": "local"}},
        )
        return new

    def api(self, method, path, **more):
        answer = self.ask(method, path, **more)
        assert answer.status_code < 300, (path, answer.status_code, answer.text[:500])
        return answer.json()

    def submit(self, agent, text=None, *, arguments=None, **more):
        """Submit a task and return its id."""
        given = {**({} if text is None else {"text": text}), **(arguments or {})}
        return self.api("POST", "/tasks", json={"agent": agent, "arguments": given, **more})[
            "taskId"
        ]

    def until(self, task_id, *statuses):
        """Wait for one of `statuses`; return the task."""
        ends = time.monotonic() + LONG_S
        while True:
            task = self.api("GET", f"/tasks/{task_id}", params={"wait": 5})
            if task["status"] in statuses:
                return task
            assert task["status"] in {"working", "input_required"}, task
            assert time.monotonic() < ends, task

    def result(self, task_id):
        """Wait for a task's result and return it."""
        return self.until(task_id, "completed")["result"]["structuredContent"]["result"]

    def error(self, task_id):
        """Wait for a task's failure and return its kind."""
        return self.until(task_id, "failed")["error"]["data"]["type"]

    def do(self, agent, text=None, **more):
        return self.result(self.submit(agent, text, **more))

    def record(self, agent, task_id):
        """Return a task's record as the account reads it."""
        found = self.stage.account("dynamodb").get_item(
            TableName=self.stage.table,
            Key={"pk": {"S": f"task#{agent}#{task_id}"}, "sk": {"S": "task"}},
            ConsistentRead=True,
        )
        return found.get("Item")

    def waiting(self, agent, task_id, *, phase):
        """Wait until a task waits; return its record."""
        ends = time.monotonic() + LONG_S
        while (record := self.record(agent, task_id))["phase"]["S"] != phase:
            assert time.monotonic() < ends
            time.sleep(0.1)
        return record

    def change(self, agent, task_id, **values):
        """Change a task's record behind everybody's back."""
        names = {f"#{name}": name for name in values}
        self.stage.account("dynamodb").update_item(
            TableName=self.stage.table,
            Key={"pk": {"S": f"task#{agent}#{task_id}"}, "sk": {"S": "task"}},
            UpdateExpression="SET " + ", ".join(f"#{name} = :{name}" for name in values),
            ExpressionAttributeNames=names,
            ExpressionAttributeValues={f":{name}": value for name, value in values.items()},
        )

    def forget(self, agent, task_id):
        """Delete a task's record behind everybody's back."""
        self.stage.account("dynamodb").delete_item(
            TableName=self.stage.table,
            Key={"pk": {"S": f"task#{agent}#{task_id}"}, "sk": {"S": "task"}},
        )

    def children(self, agent, task_id):
        """Return the ids of the agent's tasks that are children of a task."""
        found = self.stage.account("dynamodb").scan(
            TableName=self.stage.table,
            FilterExpression="begins_with(parent, :parent) AND begins_with(pk, :agent)",
            ExpressionAttributeValues={
                ":parent": {"S": task_id},
                ":agent": {"S": f"task#{agent}#"},
            },
            ConsistentRead=True,
        )
        return sorted(item["pk"]["S"].split("#")[2] for item in found["Items"])

    def dead_letters(self, agent):
        """Return the bodies and reasons in a dead-letter queue, and leave them there."""
        sqs, url = self.stage.account("sqs"), self.stage.queue(agent, dead=True)
        found = {}
        for _ in range(3):
            for message in sqs.receive_message(
                QueueUrl=url,
                MaxNumberOfMessages=10,
                VisibilityTimeout=0,
                MessageAttributeNames=["All"],
            ).get("Messages", []):
                reason = message.get("MessageAttributes", {}).get("reason", {})
                found[message["MessageId"]] = (message["Body"], reason.get("StringValue"))
        return list(found.values())

    def message(self, agent, text="by hand", **arguments):
        """Return a message that nobody has recorded."""
        task_id = new_task_id(time.time_ns() // 1_000_000, randbits)
        name = "prompt" if agent == "thinker" else "text"
        given = {name: text, **arguments}
        return Message(id=task_id, name=agent, arguments=given, principal="local")

    def send(self, agent, body, *, dead=False):
        """Send a message to an agent's queue, or its dead-letter queue, as the account."""
        fifo = {"MessageGroupId": "g", "MessageDeduplicationId": str(time.time_ns())}
        self.stage.account("sqs").send_message(
            QueueUrl=self.stage.queue(agent, dead=dead),
            MessageBody=body,
            **(fifo if agent == "ordered" else {}),
        )

    def handed(self, worker, message):
        """Hand one message to a worker, as if it had been received."""
        record = {
            "messageId": "m",
            "receiptHandle": "nothing",
            "body": json.loads(json.dumps(message.encode())),
            "attributes": {"ApproximateReceiveCount": "1", "MessageGroupId": "g"},
            "messageAttributes": {},
        }
        return worker.handle({"Records": [record]}, 60.0)
