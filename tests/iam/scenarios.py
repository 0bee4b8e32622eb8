"""Whole scenarios, each through real queues: what they need, a role must allow."""

import json
import time
from unittest.mock import patch

from sqswarm.schemas.ids import event_task_id, result_event_id
from sqswarm.schemas.join import join_task_id
from sqswarm.schemas.map_run import results_key, rows_key
from sqswarm.workers.runtime import limit

BIG = "x" * 60_000
"""More than a message carries: it travels by claim check."""

AGENTS = (
    *("plain", "ordered", "lean", "limited", "listener", "keeper", "middle", "parent", "anybody"),
    "hauler",
    "chronicler",
)
SCENARIOS = {}


def scenario(play):
    SCENARIOS[play.__name__] = play
    return play


def for_each(agents):
    def declare(play):
        for agent in agents:
            SCENARIOS[f"{play.__name__}[{agent}]"] = lambda guild, agent=agent: play(guild, agent)
        return play

    return declare


@for_each(AGENTS)
def large_payloads_go_both_ways(guild, agent):
    found = guild.do(agent, "big", arguments={"pad": BIG, "size": 150_000})
    assert len(found if isinstance(found, str) else found[0]) == 150_003


@for_each((*AGENTS, "thinker", "herald", "jury"))
def a_failure_leaves_a_dead_letter(guild, agent):
    name = "prompt" if agent == "thinker" else "text"
    task = guild.submit(agent, arguments={name: "fail " + agent})
    guild.until(task, "failed")
    assert any(task in body for body, _ in guild.dead_letters(agent))


@for_each((*AGENTS, "thinker", "herald", "jury"))
def a_worker_that_does_not_load_tells_why(guild, agent):
    if agent == "hauler":  # its containers would not start
        return
    worker = guild.stage.worker(agent, SQSWARM_AGENTS="guild.nowhere")
    assert guild.handed(worker, guild.message(agent)) == {"batchItemFailures": []}


@for_each(("keeper", "middle", "parent", "anybody", "hauler"))
def a_short_sleep_ends_in_time(guild, agent):
    assert guild.do(agent, "sleep") in ("sleep", ["sleep"])


@for_each(("plain", "lean", "ordered"))
def another_attempt_is_made(guild, agent):
    assert guild.do(agent, "retry " + agent) == "retry " + agent


@scenario
def order_is_kept(guild):
    tasks = [guild.submit("ordered", f"{n}", ordering_key="k") for n in range(4)]
    assert [guild.result(task) for task in tasks] == ["0", "1", "2", "3"]


@scenario
def a_batch_is_acquired_and_settled_together(guild):
    for _ in range(10):
        message = guild.message("plain")
        guild.send("plain", message.encode())
        guild.send("lean", guild.message("lean").encode())


@scenario
def a_repeated_message_changes_nothing(guild):
    worker, message = guild.stage.worker("plain"), guild.message("plain")
    for _ in range(2):
        assert guild.handed(worker, message) == {"batchItemFailures": []}
    assert guild.result(message.id) == "by hand"


@scenario
def events_reach_their_subscriber(guild):
    for arguments in ({"text": "news"}, {"text": "big news", "pad": BIG}):
        told = guild.api("POST", "/events/news", json=arguments)
        [task] = told["tasks"]
        ends = time.monotonic() + 30
        while guild.record("listener", task["taskId"]) is None:
            assert time.monotonic() < ends
            time.sleep(0.1)
        assert guild.result(task["taskId"]) == arguments["text"]


@scenario
def a_result_is_an_event(guild):
    for more in ({}, {"pad": BIG, "size": 150_000}):
        message = guild.message("herald", "hear ye", **more)
        worker = guild.stage.worker("herald")
        for _ in range(2):  # who finds the task ended publishes again: its record is made once
            assert guild.handed(worker, message) == {"batchItemFailures": []}
        heard = event_task_id(result_event_id(message.id), "chronicler")
        assert guild.result(heard) == "hear ye"


@scenario
def events_are_joined(guild):
    task = join_task_id("local", "jury", "verdict")
    guild.submit("herald", "verdict", arguments={"pad": BIG, "size": 100_000})
    guild.api("POST", "/events/news", json={"text": "verdict", "pad": BIG})
    ends = time.monotonic() + 60
    while guild.record("jury", task) is None:
        assert time.monotonic() < ends
        time.sleep(0.1)
    assert len(guild.result(task)) == len("verdict") + 2 * len(BIG) + 100_000


@scenario
def an_idempotency_key_finds_its_task(guild):
    first, second = (guild.submit("keeper", "once", idempotency_key="k") for _ in range(2))
    assert first == second
    assert guild.result(first) == "once"


@scenario
def steps_and_a_session_are_kept(guild):
    assert guild.do("keeper", "steps") == "steps"
    assert guild.do("keeper", "steps again") == "steps again"


@scenario
def a_question_is_answered(guild):
    task = guild.submit("keeper", "ask")
    guild.until(task, "input_required")
    guild.api("POST", f"/tasks/{task}/answers", json={"really": "yes"})
    assert guild.result(task) == "yes"


@scenario
def an_agent_that_calls_anybody_calls_a_map_run(guild):
    assert guild.do("anybody", "to map-run") == "{'total'"


@for_each(("plain", "anybody"))
def rows_are_run_and_their_lines_written(guild, agent):
    upload, s3 = guild.message("plain").id, guild.stage.account("s3")
    rows = [
        {"text": "row 0", "size": 150_000},
        {"text": "row 1", "pad": BIG},
        {"text": "fail"},
    ]
    lines = [{"index": n, "row": row} for n, row in enumerate(rows)]
    body = "".join(json.dumps(line) + "\n" for line in lines)
    s3.put_object(Bucket=guild.stage.bucket, Key=rows_key(upload, 0), Body=body)
    run = {"mapped": agent, "rows": upload, "total": 3, "windows": 1, "concurrency": 2}
    tolerant, strict = (
        guild.submit("map-run", arguments={**run, "tolerate": some}) for some in (1, 0)
    )
    counts = guild.until(tolerant, "completed")["result"]["structuredContent"]
    assert (counts["done"], counts["failed"]) == (3, 1)
    key = results_key(tolerant, 0)
    written = s3.get_object(Bucket=guild.stage.bucket, Key=key)["Body"].read()
    found = [json.loads(line).get("value", "failed")[:6] for line in written.splitlines()]
    assert found == ["row 0.", "row 1", "failed"]
    guild.until(strict, "failed")
    assert any(strict in letter for letter, _ in guild.dead_letters("map-run"))


@scenario
def a_delay_is_kept(guild):
    assert guild.do("plain", "late", delay=1) == "late"


@scenario
def a_child_is_called(guild):
    assert guild.do("parent", "call") == ["one"]


@for_each((*AGENTS, "thinker", "herald", "jury"))
def every_agent_is_a_child(guild, agent):
    found = guild.do("anybody", f"to {agent}", arguments={"pad": BIG, "size": 150_000})
    assert found[:4] in {"told", "['to", "hear", "{'te"}


@scenario
def children_of_every_kind_are_gathered(guild):
    assert guild.do("parent", "gather") == ["a", "b", "c", "d", "inner"]


@scenario
def many_children_are_mapped(guild):
    assert guild.do("parent", "map") == [f"m{n}" for n in range(12)]


@scenario
def children_get_and_give_large_payloads(guild):
    assert guild.do("parent", "large", arguments={"pad": BIG}) == [150_001]
    assert guild.do("middle", "large", arguments={"pad": BIG}) == "inner"
    assert guild.do("hauler", "call", arguments={"pad": BIG}) == "hauled"
    answer = guild.do("thinker", arguments={"prompt": "large" + BIG})
    assert len(answer) > 150_000


@scenario
def a_stranger_is_not_called(guild):
    assert guild.error(guild.submit("parent", "stranger")) == "UndeclaredCall"


@scenario
def who_is_named_is_told(guild):
    cancelled = guild.submit("limited", "late", delay=60)
    guild.api("POST", f"/tasks/{cancelled}/cancel")
    done = guild.submit("limited", "told")
    assert guild.result(done) == "told"
    ends, told = time.monotonic() + 30, ""
    while not (cancelled in told and done in told):
        assert time.monotonic() < ends
        told += " ".join(guild.stage.told())


@scenario
def a_cancelled_parents_child_is_cancelled(guild):
    task = guild.submit("parent", "slow")
    ends = time.monotonic() + 30
    while len(guild.children("keeper", task)) < 2:
        assert time.monotonic() < ends
        time.sleep(0.1)
    guild.api("POST", f"/tasks/{task}/cancel")
    assert guild.until(task, "cancelled")


@scenario
def a_rate_is_kept(guild):
    tasks = [guild.submit("limited", f"{n}") for n in range(8)]
    assert [guild.result(task) for task in tasks] == [f"{n}" for n in range(8)]


@scenario
def who_waits_long_for_a_slot_is_sent_anew(guild):
    async def none_is_free(*_arguments):
        return {}

    message = guild.message("limited", "waited long")
    with (
        patch.object(limit, "_take", none_is_free),
        patch.object(limit, "WAITED_RECEIVES", 1),
    ):
        guild.handed(guild.stage.worker("limited"), message)
    ends = time.monotonic() + 30
    while (record := guild.record("limited", message.id)) is None or "result" not in record:
        assert time.monotonic() < ends
        time.sleep(0.2)


@scenario
def claude_pays_remembers_and_calls(guild):
    for _ in range(2):
        asked = {"agent": "thinker", "arguments": {"prompt": "go"}, "session_id": "mine"}
        task = guild.api("POST", "/tasks", json=asked)["taskId"]
        assert guild.result(task) == "done tooled"


@scenario
def claude_waits_where_the_api_is_busy(guild):
    assert guild.do("thinker", arguments={"prompt": "busy"}) == "calm"


@scenario
def what_is_gone_is_told_apart_from_nothing(guild):
    task = guild.submit("plain", "gone", arguments={"size": 150_000})
    guild.result(task)
    reference = guild.record("plain", task)["result_ref"]["S"].split("/", 3)[3]
    guild.stage.account("s3").delete_object(Bucket=guild.stage.bucket, Key=reference)
    answer = guild.ask("GET", f"/tasks/{task}")
    assert answer.status_code == 404, answer.text
    assert "is gone, or is not this task's" in answer.text


@scenario
def an_ended_task_is_redriven(guild):
    task = guild.submit("plain", "fail first")
    guild.until(task, "failed")
    assert guild.error(guild.redriven(task)) == "Fail"


@scenario
def tasks_are_listed(guild):
    assert guild.api("GET", "/tasks")["tasks"]


@scenario
def poison_is_put_aside(guild):
    guild.send("plain", "no json")
    ends = time.monotonic() + 30
    while not any(body == "no json" for body, _ in guild.dead_letters("plain")):
        assert time.monotonic() < ends
        time.sleep(0.2)
