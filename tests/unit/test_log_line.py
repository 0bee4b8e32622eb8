"""What `sqswarm dev` makes of what functions print."""

import json

import pytest

from sqswarm.infra.dev.log_line import log_line


def shown(message, agent="keywords", folders=()):
    text = message if isinstance(message, str) else json.dumps(message)
    return log_line({"timestamp": 1_800_000_000_000, "message": text}, agent, folders)


@pytest.mark.parametrize(
    "message",
    [
        "START RequestId: 1 Version: $LATEST\n",
        "END RequestId: 1\n",
        "INIT_START Runtime Version: python:3.11\n",
        "REPORT RequestId: 1\tDuration: 1.20 ms\tBilled Duration: 2 ms",  # a start check
        {"_aws": {"Timestamp": 1}, "Started": 3},
        "\n",
    ],
)
def test_what_lambda_and_metrics_print_for_themselves_is_not_shown(message):
    assert shown(message) is None


def test_an_event_is_a_sentence_without_what_everybody_knows():
    line = shown(
        {"level": "INFO", "event": "page.read", "agent": "keywords", "task_id": "t", "pages": 3}
    )
    assert (line.level, line.text, line.task_id) == ("info", "page.read pages=3", "t")


def test_a_line_of_another_logger_is_its_message():
    assert shown({"level": "WARNING", "message": "slow", "logger": "mine"}).text == (
        "slow logger=mine"
    )


def test_what_is_printed_is_shown_as_it_is():
    assert shown("hello {world}\n").text == "hello {world}"
    assert shown('{"not": json}').text == '{"not": json}'


def test_how_long_a_run_took_is_told_quietly():
    line = shown("REPORT RequestId: 1\tDuration: 454.35 ms\tBilled Duration: 455 ms")
    assert (line.level, line.text) == ("quiet", "ran for 454 ms")
    assert shown("REPORT RequestId: 1\tDuration: 454.35 ms", agent="housekeeping") is None


def test_housekeeping_is_heard_only_when_something_is_wrong():
    assert shown({"level": "INFO", "event": "housekeeping.swept"}, agent="housekeeping") is None
    wrong = shown({"level": "ERROR", "event": "housekeeping.failed"}, agent="housekeeping")
    assert wrong.level == "error"


TRACEBACK = """Traceback (most recent call last):
  File "/tmp/archives/abc=/sqswarm/workers/runtime/execute.py", line 73, in execute
    return await self._outcome(bound, journal, timeout_s)
           ^^^^^^^^
  File "/tmp/archives/abc=/agents/keywords.py", line 14, in keywords
    text = json.loads(1)
  File "/usr/lib/python3.11/json/__init__.py", line 339, in loads
    raise TypeError
TypeError"""


def test_a_traceback_begins_in_the_project_and_names_its_files(tmp_path):
    (tmp_path / "agents").mkdir()
    own = tmp_path / "agents" / "keywords.py"
    own.touch()
    (tmp_path / "json").mkdir()
    (tmp_path / "json" / "__init__.py").touch()  # never taken for the library's
    fields = {"level": "ERROR", "event": "agent.raised", "error": TRACEBACK}
    assert shown(fields, folders=[tmp_path]).text.split("\n") == [
        "agent.raised",
        "Traceback (most recent call last):",
        f'  File "{own}", line 14, in keywords',
        "    text = json.loads(1)",
        '  File "/usr/lib/python3.11/json/__init__.py", line 339, in loads',
        "    raise TypeError",
        "TypeError",
    ]


def test_a_traceback_of_sqswarm_alone_is_shown_whole(tmp_path):
    assert shown(TRACEBACK, folders=[tmp_path]).text == TRACEBACK
    assert shown(TRACEBACK).level == "error"
