"""The verbs against a real swarm: deployed by the CLI, run by Lambda on the emulator."""

import json
import re
import time
from pathlib import Path

import pytest
from project_cli import ProjectCli, deployed_project
from typer.testing import CliRunner

from sqswarm.infra.cli import completion
from sqswarm.infra.cli.app import app

pytestmark = pytest.mark.localstack

AGENTS = '''
from sqswarm import Fail, TaskContext, agent
from sqswarm.workers.agents.map_run import map_run


@agent(topics=["notes"])
async def shout(text: str, times: int = 1) -> str:
    """Say it louder."""
    print(f"shouting {text}")
    return text.upper() * times


@agent
async def murmur(text: str, *, ctx: TaskContext) -> str:
    """Say it in the log."""
    ctx.log.info("murmured", voice="low")
    return text


@agent(max_attempts=1)
async def refuse(text: str) -> str:
    """Never does it."""
    raise Fail(f"not {text}")


@agent(durability="durable")
async def doubt(ctx: TaskContext, text: str) -> bool:
    """Asks whether it is so."""
    return await ctx.ask("sure", f"Is it {text}?", bool)
'''


@pytest.fixture(scope="module")
def cli(emulator, tmp_path_factory):
    with deployed_project(tmp_path_factory.mktemp("verbs"), "verbs", AGENTS) as run:
        yield run


@pytest.fixture
def complete(cli, monkeypatch):
    """What a shell is offered for a line."""
    monkeypatch.setattr(completion, "PATIENCE_S", 30)  # on a loaded machine too

    def words_for(*line):
        told = {
            "_SQSWARM_COMPLETE": "complete_bash",
            "COMP_WORDS": " ".join(["sqswarm", "--stage", "verbs", *line]),
            "COMP_CWORD": str(2 + len(line)),
        }
        return CliRunner().invoke(app, [], prog_name="sqswarm", env=told).stdout.split()

    return words_for


def test_a_shell_is_offered_agents_tasks_and_questions_of_now(cli, complete):
    assert complete("submit", "r") == ["refuse"]
    assert complete("submit", "shout", "t") == ["text=", "times="]
    assert complete("publish", "") == ["notes"]
    asked = cli("submit", "doubt", "text=completed", "--wait", code=5)
    (task_id,) = re.findall(r"sqswarm answer (\S+) sure JSON", asked.stderr)
    assert task_id in complete("get", "")
    assert task_id in complete("answer", task_id[:12])
    assert complete("answer", task_id, "") == ["sure"]
    cli("answer", task_id, "sure", "true")


def test_waiting_for_a_task_that_asks_a_person_says_what_and_how_to_answer(cli):
    asked = cli("submit", "doubt", "text=true", "--wait", code=5)
    assert "asks 'sure': Is it true?" in asked.stderr
    (task_id,) = re.findall(r"sqswarm answer (\S+) sure JSON", asked.stderr)
    told = json.loads(cli("wait", task_id, "--json", code=5).stderr)
    assert told["error"]["type"] == "InputRequired"
    cli("wait", task_id, "--wait-for-answers", "--timeout", "0.2", code=4)
    cli("submit", "doubt", "text=true", "--wait-for-answers", code=2)
    cli("answer", task_id, "sure", "true")
    assert f"{task_id}  doubt  completed" in cli("wait", task_id, "--timeout", "60").stdout


def test_a_value_is_sent_into_a_task(cli):
    asked = cli("submit", "doubt", "text=true", "--wait", code=5)
    (task_id,) = re.findall(r"sqswarm answer (\S+) sure JSON", asked.stderr)
    assert cli("send", task_id, "go", "n:=1", "text=x").stdout == "input_required\n"
    assert cli.json("send", task_id, "go", '"x"') == {
        "taskId": task_id,
        "topic": "go",
        "status": "input_required",
    }
    assert "not JSON" in cli("send", task_id, "go", "{", code=2).stderr
    cli("answer", task_id, "sure", "true")
    cli("wait", task_id, "--timeout", "60")
    assert "it receives nothing any more" in cli("send", task_id, "go", "1", code=2).stderr


def test_agents_are_listed_with_their_schemas(cli):
    agents = {agent["name"]: agent for agent in cli.json("agents")}
    assert agents.keys() == {"shout", "murmur", "refuse", "doubt", "map-run"}
    assert agents["shout"]["inputSchema"]["required"] == ["text"]
    assert "Say it louder." in cli("agents").stdout


def test_a_task_is_submitted_awaited_and_found_again(cli):
    done = cli.json("submit", "shout", "text=hi", "times=2", "--wait", "--timeout", "60")
    assert done["status"] == "completed"
    assert done["result"]["structuredContent"] == {"result": "HIHI"}
    assert cli.json("get", done["taskId"]) == done
    assert cli("submit", "shout", "text=hi", "--wait").stdout == "HI\n"
    assert done["taskId"] in [task["taskId"] for task in cli.json("list", "--agent", "shout")]


def test_the_id_that_submit_prints_can_be_waited_for(cli):
    task_id = cli("submit", "shout", "text=later").stdout.strip()
    assert cli.json("wait", task_id, "--timeout", "60")["status"] == "completed"
    assert cli.json("cancel", task_id)["status"] == "completed"


def test_a_listing_is_filtered_by_tags_and_says_how_much_there_is(cli):
    for _ in range(3):
        cli("submit", "refuse", "text=x", "--tag", "tenant=acme", "--wait", code=1)
    wanted = ("list", "--status", "failed", "--where", "tenant=acme", "--since", "1h")
    first = cli(*wanted, "--limit", "2", "--json")
    assert len(json.loads(first.stdout)) == 2
    assert "2 of 3; looked back to 20" in first.stderr
    cursor = first.stderr.rstrip().rpartition("--cursor ")[2]
    rest = json.loads(cli(*wanted, "--limit", "2", "--cursor", cursor, "--json").stdout)
    assert len(rest) == 1
    everything = cli.json(*wanted, "--limit", "2", "--all")
    assert [t["taskId"] for t in everything] == [
        t["taskId"] for t in [*json.loads(first.stdout), *rest]
    ]
    assert cli.json("list", "--where", "tenant=globex") == []
    assert "no TAG=VALUE" in cli("list", "--where", "acme", code=2).stderr
    assert "is no time" in cli("inbox", "--since", "soon", code=2).stderr


def test_a_failed_task_ends_with_one_and_its_error(cli):
    failed = cli.json("submit", "refuse", "text=this", "--wait", code=1)
    assert (failed["status"], failed["error"]["message"]) == ("failed", "not this")
    result = cli("submit", "refuse", "text=this", "--wait", code=1)
    assert "not this" in result.stderr
    assert "fix: " in result.stderr


def test_no_task_commands_the_terminal(cli):
    attack = "\x1b]0;owned\x07\x9b2J\u202eok\r"
    result = cli("submit", "shout", f"text={attack}", "--wait")
    failed = cli("submit", "refuse", f"text={attack}", "--wait", code=1)
    task_id = json.loads(cli("list", "--agent", "refuse", "--json").stdout)[0]["taskId"]
    shown = [
        *(result.stdout, failed.stderr, cli("get", task_id).stdout),
        *(cli("list").stdout, cli("dlq").stdout, cli("logs", "shout").stdout),
    ]
    for text in shown:
        assert not set(text) & set("\x1b\x07\x9b\u202e\r"), text
    assert "\\u001b]0;OWNED\\u0007\\u009b2J\\u202eOK\\u000d" in result.stdout
    assert "\\u001b]0;owned" in failed.stderr


def test_a_map_keeps_the_order_of_its_lines(cli, tmp_path):
    rows = tmp_path / "in.jsonl"
    rows.write_text("\n".join(json.dumps({"text": f"row{n}"}) for n in range(25)))
    lines = [json.loads(line) for line in cli("map", "shout", str(rows)).stdout.splitlines()]
    assert [line["result"] for line in lines] == [f"ROW{n}" for n in range(25)]
    assert [line["index"] for line in lines] == list(range(25))


def test_a_map_with_a_failed_line_ends_with_one(cli, tmp_path):
    rows = tmp_path / "in.jsonl"
    rows.write_text('{"text": "a"}\n')
    (line,) = cli("map", "refuse", str(rows), code=1).stdout.splitlines()
    assert json.loads(line)["error"]["message"] == "not a"


def test_a_line_that_does_not_fit_is_told_before_anything_is_published(cli, tmp_path):
    rows = tmp_path / "in.jsonl"
    rows.write_text('{"text": "a"}\nnot json\n')
    assert "line 2 is not JSON" in cli("map", "shout", str(rows), code=2).stderr
    rows.write_text('{"text": "a"}\n{"txt": "b"}\n')
    assert "row 1" in cli("map", "shout", str(rows), code=2).stderr


def test_rows_of_csv_are_mapped_as_their_agent_takes_them(cli, tmp_path):
    rows = tmp_path / "in.csv"
    rows.write_text('text,times\n"a, b",2\nc,\n')
    lines = [json.loads(line) for line in cli("map", "shout", str(rows)).stdout.splitlines()]
    assert [line["result"] for line in lines] == ["A, BA, B", "C"]


def test_a_run_is_started_left_found_again_and_read(cli, tmp_path):
    rows = tmp_path / "in.jsonl"
    rows.write_text("\n".join(json.dumps({"text": f"row{n}"}) for n in range(25)))
    run = cli.json("map", "shout", str(rows), "--detach", "--concurrency", "20")["run"]
    read = cli("run", run, "--wait", "--results").stdout.splitlines()
    assert [json.loads(line) for line in read] == [
        {"index": n, "value": f"ROW{n}"} for n in range(25)
    ]
    shown = cli.json("run", run)
    assert (shown["status"], shown["done"], shown["failed"]) == ("completed", 25, 0)
    assert run in cli("runs").stdout
    assert [one["run"] for one in cli.json("runs")] == [run]
    assert "no row of the run" in cli("run", run, "--redrive-failures", code=2).stderr
    broken = cli("map", "refuse", str(rows), "--detach", "--tolerate", "0.5").stdout.strip()
    assert cli.json("run", broken, "--wait", code=1)["failed"] == 25
    again = cli.json("run", broken, "--redrive-failures")["run"]
    cli("run", again, "--cancel")


def test_an_event_becomes_a_task_of_each_listener(cli):
    (task,) = cli.json("publish", "notes", "text=news")
    assert task["agent"] == "shout"
    assert "no agent subscribes" in cli("publish", "nothing", "text=x", code=2).stderr


def test_wrong_arguments_are_told_with_a_hint(cli):
    assert "Did you mean shout?" in cli("submit", "shuot", "text=x", code=2).stderr
    assert "'text' is a required property" in cli("submit", "shout", code=2).stderr
    unknown = "0199c2f0-5d3c-7c3e-8f43-2f6a1c0d9e11"
    assert unknown in cli("get", unknown, code=1).stderr


def test_a_wait_that_takes_too_long_ends_with_four(cli):
    task_id = cli("submit", "shout", "text=late", "--delay", "30").stdout.strip()
    cli("wait", task_id, "--timeout", "0.1", code=4)
    assert cli.json("cancel", task_id)["status"] == "cancelled"


def test_logs_show_what_an_agent_printed(cli):
    cli("submit", "shout", "text=loudly", "--wait")
    deadline = time.monotonic() + 20  # a log is written after the result
    while "shouting loudly" not in (lines := cli("logs", "shout", "--json").stdout):
        assert time.monotonic() < deadline, lines
        time.sleep(0.2)
    assert json.loads(lines.splitlines()[0])["agent"] == "shout"
    assert "no such agent" in cli("logs", "nobody", code=2).stderr


def test_a_task_is_told_with_its_log_lines(cli):
    task_id = cli("submit", "murmur", "text=sotto voce").stdout.strip()
    cli("wait", task_id)
    deadline = time.monotonic() + 20  # a log is written after the result
    while "murmured" not in (told := cli("show", task_id, "--logs").stdout):
        assert time.monotonic() < deadline, told
        time.sleep(0.2)
    head, _, *spans = told.splitlines()
    assert head.startswith(f"murmur {task_id}  completed  ")
    assert [word in line for word, line in zip(("queue", "attempt 1"), spans, strict=False)]
    [line] = [line for line in spans if "murmured" in line]
    assert "voice=low" in line
    shown = cli.json("show", task_id, "--logs", "--depth", "1")
    [_, attempt] = shown["spans"]
    assert (attempt["outcome"], len(attempt["worker"])) == ("completed", 8)
    assert attempt["requestId"].count("-") == 4
    assert "murmured" in [one["line"].get("event") for one in shown["logs"][task_id]]
    lines = [
        json.loads(line) for line in cli("logs", "--task", task_id, "--json").stdout.splitlines()
    ]
    assert lines
    assert all(task_id in line["message"] for line in lines)
    unknown = "0199c2f0-5d3c-7c3e-8f43-2f6a1c0d9e11"
    assert unknown in cli("show", unknown, code=1).stderr


def test_dead_letters_are_shown_with_their_reason_and_stay(cli, emulator):
    from sqswarm.backends.aws.connect import client_factory
    from sqswarm.schemas.settings import Settings

    sqs = client_factory(Settings(endpoint_url=emulator.endpoint_url))("sqs")
    url = sqs.get_queue_url(QueueName="sqswarm-verbs-refuse-dlq")["QueueUrl"]
    reason = {"reason": {"DataType": "String", "StringValue": "not-json"}}
    sqs.send_message(QueueUrl=url, MessageBody="{", MessageAttributes=reason)
    for _ in range(2):
        (letter,) = [one for one in cli.json("dlq", "refuse") if one["body"] == "{"]
        assert (letter["agent"], letter["reason"]) == ("refuse", "not-json")
    assert "not-json" in cli("dlq").stdout
    assert cli.json("purge", "refuse", "--dead-letters", "--yes")["deleted"] >= 1
    assert cli.json("dlq", "refuse") == []


def test_doctor_finds_a_deployed_swarm_well(cli):
    findings = cli.json("doctor")
    assert [finding for finding in findings if finding["verdict"] == "fail"] == []
    assert findings[-1]["what"] == "resources"
    verdicts = {finding["what"]: finding["verdict"] for finding in findings}
    assert verdicts["deployed code"] == "ok"


def test_doctor_tells_of_code_that_has_changed_since_it_was_deployed(cli):
    agents = Path("verbs_agents.py")
    agents.write_text(AGENTS + "# changed\n")
    try:
        code = next(one for one in cli.json("doctor") if one["what"] == "deployed code")
    finally:
        agents.write_text(AGENTS)
    assert (code["verdict"], code["fix"]) == ("warn", "Run `sqswarm deploy`.")
    assert "code has changed since" in code["found"]


def test_code_that_goes_back_to_what_it_was_is_deployed_too(cli):
    agents = Path("verbs_agents.py")
    try:
        agents.write_text(AGENTS.replace("text.upper()", "text.title()"))
        cli("deploy")
        assert cli("submit", "shout", "text=hi", "--wait").stdout == "Hi\n"
    finally:
        agents.write_text(AGENTS)
    cli("deploy")
    assert cli("submit", "shout", "text=hi", "--wait").stdout == "HI\n"


def test_a_second_deploy_has_nothing_to_do(cli):
    assert cli.json("deploy")["changed"] is False


def test_a_stage_that_is_not_there_ends_with_three(cli):
    assert "sqswarm deploy" in ProjectCli("nowhere")("agents", code=3).stderr
