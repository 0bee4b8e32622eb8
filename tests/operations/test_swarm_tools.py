"""The swarm's tools, each over real stdio against a deployed swarm."""

import asyncio
import json

import pytest

from sqswarm.schemas.lifecycle import Status

from .conftest import DECLINE, accept, assistant, until

pytestmark = pytest.mark.localstack


@pytest.fixture
def given_up(swarm):
    """A task that failed for good, once its letter lies in the dead-letter queue."""
    task = swarm.submit("refuse", text="this", durable=True)
    until(lambda: task.status() is Status.FAILED)
    until(lambda: [x for x in swarm.dead_letters("refuse", limit=100) if x.task_id == task.id])
    return task


async def test_an_assistant_finds_its_way_from_the_list_of_agents_to_a_result(deployed):
    async with assistant() as ask:
        agents = await ask("list-agents")
        assert [agent["name"] for agent in agents["agents"]] == ["careful", "refuse", "shout"]
        schema = agents["agents"][2]["inputSchema"]
        assert schema["required"] == ["text"]

        tags = {"tenant": "acme"}
        done = await ask(
            "submit-task", agent="shout", arguments={"text": "hi"}, tags=tags, wait_seconds=30
        )
        assert (done["status"], json.loads(done["resultJson"])) == ("completed", "HI")
        task = await ask("get-task", task_id=done["taskId"])
        assert task["agent"] == "shout"
        assert json.loads(task["resultJson"])["structuredContent"] == {"result": "HI"}

        listed = await ask("list-tasks", agent="shout", status="completed", limit=1)
        assert [one["taskId"] for one in listed["tasks"]] == [done["taskId"]]
        tagged = await ask("list-tasks", where=tags, since="1h")
        assert [one["taskId"] for one in tagged["tasks"]] == [done["taskId"]]
        assert (tagged["cursor"], tagged["total"]) == (None, 1)
        assert (await ask("list-tasks", where={"tenant": "other"}))["tasks"] == []
        async with asyncio.timeout(30):  # a log line may come after its task's result
            lines = []
            while not lines:
                asked = {"agent": "shout", "minutes": 5, "contains": "shouting hi"}
                lines = (await ask("read-logs", **asked))["lines"]
        assert "shouting hi" in lines[0]["message"]
        nothing = await ask("read-logs", agent="shout", contains="never printed")
        assert nothing["lines"] == []


async def test_a_repeat_with_the_same_key_starts_no_second_task(deployed):
    async with assistant() as ask:
        arguments = {"agent": "shout", "arguments": {"text": "x"}, "idempotency_key": "once"}
        first = await ask("submit-task", **arguments)
        assert (await ask("submit-task", **arguments))["taskId"] == first["taskId"]


async def test_a_question_reaches_the_assistant_and_its_answer_the_task(swarm):
    task = swarm.submit("careful", text="it", durable=True)
    until(lambda: task.status() is Status.INPUT_REQUIRED)
    async with assistant() as ask:
        inbox = await ask("list-inbox")
        [question] = [one for one in inbox["questions"] if one["taskId"] == task.id]
        assert (question["key"], question["message"]) == ("approve", "Do it?")
        assert question["answerSchema"]["required"] == ["approved"]
        wrong = await ask.refused(
            "answer-question", task_id=task.id, key="approve", answer={"approved": "perhaps"}
        )
        assert "InvalidArguments" in wrong
        assert "fix:" in wrong
        arguments = {"task_id": task.id, "key": "approve", "answer": {"approved": True}}
        dry = await ask("answer-question", **arguments)
        assert (dry["outcome"], dry["status"]) == ("dry_run", "input_required")
        assert "confirm=true" in dry["explanation"]
        assert task.status() is Status.INPUT_REQUIRED
        done = await ask("answer-question", **arguments, confirm=True)
        assert (done["outcome"], done["status"]) == ("answered", "working")
        late = await ask("answer-question", **arguments, confirm=True)
        assert late["outcome"] == "not_open"
    assert task.result(timeout=120) is True


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_an_answer_is_the_persons_and_not_the_models(swarm, mode):
    task = swarm.submit("careful", text="it", durable=True)
    until(lambda: task.status() is Status.INPUT_REQUIRED)
    arguments = {"task_id": task.id, "key": "approve", "answer": {"approved": True}}
    async with assistant(
        answers=[DECLINE, accept(send=False), accept(send=True)], mode=mode
    ) as ask:
        for _ in range(2):  # the argument does not stand in for a person who can be asked
            declined = await ask("answer-question", **arguments, confirm=True)
            assert (declined["outcome"], declined["status"]) == ("declined", "input_required")
        assert task.status() is Status.INPUT_REQUIRED
        assert '"Do it?" Answer {"approved": true}?' in ask.asked[0]
        wrong = await ask.refused("answer-question", **{**arguments, "answer": "perhaps"})
        assert "InvalidArguments" in wrong
        assert len(ask.asked) == 2  # nobody is asked about what cannot be
        assert (await ask("answer-question", **arguments))["outcome"] == "answered"
    assert task.result(timeout=120) is True


async def test_a_task_is_cancelled_and_an_unknown_one_is_told(swarm):
    task = swarm.submit("careful", text="never", durable=True)
    async with assistant() as ask:
        assert (await ask("cancel-task", task_id=task.id))["status"] == "cancelled"
        told = await ask.refused("cancel-task", task_id="0199c2f0-5d3c-7c3e-8f43-2f6a1c0d9e11")
        assert "TaskNotFound" in told


async def test_queues_stats_and_usage_are_counted(given_up):
    async with assistant() as ask:
        queues = {one["agent"]: one for one in (await ask("list-queues"))["queues"]}
        assert set(queues) == {"careful", "refuse", "shout", "unrouted"}
        assert queues["refuse"]["deadLetters"] >= 1
        assert queues["refuse"]["waiting"] == 0
        [one] = (await ask("list-queues", agent="refuse"))["queues"]
        assert one["agent"] == "refuse"

        stats = await ask("get-stats")
        [refuse] = [one for one in stats["agents"] if one["agent"] == "refuse"]
        assert refuse["failed"] >= 1
        assert refuse["backlog"]["deadLetters"] == queues["refuse"]["deadLetters"]
        assert stats["total"]["failed"] >= refuse["failed"]

        usage = await ask("get-usage", hours=1)
        [refuse] = [one for one in usage["agents"] if one["agent"] == "refuse"]
        assert refuse["invocations"] is None or refuse["invocations"] >= 1
        assert set(usage) == {"hours", "agents", "tableWriteUnits", "tableReadUnits"}


async def test_dead_letters_are_shown_with_their_reason(given_up):
    async with assistant() as ask:
        letters = (await ask("list-dead-letters", agent="refuse", limit=100))["letters"]
        [letter] = [one for one in letters if one["taskId"] == given_up.id]
        assert "not this" in letter["detail"]
        everywhere = await ask("list-dead-letters", limit=100)
        assert given_up.id in {one["taskId"] for one in everywhere["letters"]}


async def test_dead_letters_are_counted_by_reason(given_up):
    async with assistant() as ask:
        told = await ask("group-dead-letters", agent="refuse")
        [group] = told["groups"]
        assert (group["agent"], group["reason"]) == ("refuse", "Fail")
        assert group["count"] == told["total"] == told["lookedAt"]
        assert "not this" in group["examples"][0]["detail"]
        of_reason = await ask("list-dead-letters", agent="refuse", reason="Fail", limit=200)
        assert len(of_reason["letters"]) == of_reason["total"] == group["count"]
        none = await ask("list-dead-letters", agent="refuse", reason="other")
        assert (none["letters"], none["limited"]) == ([], False)


async def test_many_tasks_are_run_again_once_the_person_agrees_to_how_many(given_up, swarm):
    which = {"agent": "refuse", "error_type": "Fail"}
    async with assistant(answers=[DECLINE, accept(go_on=True)]) as ask:
        declined = await ask("redrive-tasks", which=which, confirm=True)
        assert (declined["outcome"], declined["done"]) == ("declined", 0)
        assert f"{declined['matched']} task(s) ({declined['matched']} Fail)" in ask.asked[0]
        assert swarm.get(given_up.id).record.redriven_as is None
        done = await ask("redrive-tasks", which=which)
        assert (done["outcome"], done["done"]) == ("done", declined["matched"])
        assert swarm.get(given_up.id).record.redriven_as is not None


async def test_many_tasks_are_cancelled_after_a_dry_run_and_a_confirmation(swarm):
    tasks = [swarm.submit("careful", text="never", durable=True) for _ in range(3)]
    until(lambda: all(task.status() is Status.INPUT_REQUIRED for task in tasks))
    which = {"agent": "careful", "status": "input_required"}
    async with assistant() as ask:
        dry = await ask("cancel-tasks", which=which)
        assert (dry["outcome"], dry["byAgent"]["careful"]) == ("dry_run", dry["matched"])
        assert tasks[0].status() is Status.INPUT_REQUIRED
        done = await ask("cancel-tasks", which=which, confirm=True)
        assert (done["outcome"], done["done"]) == ("done", dry["matched"])
        assert {task.status() for task in tasks} == {Status.CANCELLED}
        assert (await ask("cancel-tasks", which=which))["outcome"] == "nothing_there"
        told = await ask.refused("cancel-tasks", which={"status": "failed"})
        assert "no failed task can be cancelled" in told


@pytest.mark.parametrize("mode", ["auto", "legacy"])
async def test_a_redrive_asks_the_person_and_does_what_they_say(given_up, swarm, mode):
    arguments = {"agent": "refuse", "task_ids": [given_up.id]}
    answers = [DECLINE, accept(redrive=False), accept(redrive=True)]
    async with assistant(answers=answers, mode=mode) as ask:
        # The argument does not stand in for a person who can be asked.
        declined = await ask("redrive-dead-letters", **arguments, confirm=True)
        assert (declined["outcome"], declined["redriven"]) == ("declined", [])
        assert "1 dead letter(s) of agent 'refuse'" in ask.asked[0]
        assert (await ask("redrive-dead-letters", **arguments))["outcome"] == "declined"
        assert swarm.get(given_up.id).record.redriven_as is None

        done = await ask("redrive-dead-letters", **arguments)
        assert done["outcome"] == "redriven"
        [fate] = done["redriven"]
        assert swarm.get(given_up.id).record.redriven_as == fate["newTaskId"]
        assert len(ask.asked) == 3
        again = await ask("redrive-dead-letters", **arguments)
        assert again["outcome"] == "nothing_there"
        assert len(ask.asked) == 3


async def test_a_redrive_without_a_person_to_ask_wants_a_dry_run_and_then_a_confirmation(
    given_up, swarm
):
    arguments = {"agent": "refuse", "task_ids": [given_up.id]}
    async with assistant() as ask:
        dry = await ask("redrive-dead-letters", **arguments)
        assert dry["outcome"] == "dry_run"
        assert [one["taskId"] for one in dry["letters"]] == [given_up.id]
        assert "confirm=true" in dry["explanation"]
        assert swarm.get(given_up.id).record.redriven_as is None
        done = await ask("redrive-dead-letters", **arguments, confirm=True)
        assert done["outcome"] == "redriven"
        assert swarm.get(given_up.id).record.redriven_as == done["redriven"][0]["newTaskId"]


@pytest.mark.parametrize(
    ("tool", "arguments", "expected"),
    [
        ("submit-task", {"agent": "shuot", "arguments": {}}, "UnknownAgent"),
        ("submit-task", {"agent": "shout", "arguments": {"txt": 1}}, "InvalidArguments"),
        ("list-dead-letters", {"agent": "nobody"}, "UnknownAgent"),
        ("list-queues", {"agent": "nobody"}, "UnknownAgent"),
        ("read-logs", {"agent": "nobody"}, "UnknownAgent"),
        ("get-task", {"task_id": "x"}, "TaskNotFound"),
        ("list-tasks", {"state": "failed"}, "there is no argument"),
        ("list-tasks", {"status": "lost"}, "input_required"),
        ("list-tasks", {"limit": 0}, "greater than or equal to 1"),
    ],
)
async def test_a_wrong_argument_is_told_with_what_to_do(deployed, tool, arguments, expected):
    async with assistant() as ask:
        told = await ask.refused(tool, **arguments)
        assert expected in told
        assert (await ask("list-agents"))["stage"] == "ops"
