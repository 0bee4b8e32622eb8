"""Logs: the standard library's loggers, JSON lines, the task that a line belongs to, no secrets."""

import contextvars
import io
import json
import logging
from dataclasses import replace

import pytest
from memory_swarm import MemorySwarm

from sqswarm import TaskContext, agent
from sqswarm.backends.log import JsonFormatter, Log, configure_logging
from sqswarm.schemas.errors import InvalidSettings
from sqswarm.workers.runtime.batch import Runtime


@pytest.fixture
def configure():
    """Set logging up as a process does whose root logger has these handlers."""
    root = logging.getLogger()
    level = root.level

    def configured(environment, *handlers):
        root.handlers[:] = handlers  # without the test runner's own
        return configure_logging(environment)

    yield configured
    root.handlers.clear()
    root.setLevel(level)


@pytest.fixture
def printed(capsys):
    def lines():
        return [json.loads(line) for line in capsys.readouterr().out.splitlines()]

    return lines


SAID = ("text.read", "read 4 letters", "on a thread")


@agent
async def talker(text: str, *, ctx: TaskContext) -> str:
    ctx.log.info("text.read", length=len(text))
    logging.getLogger("my.library").info("read %d letters", len(text))
    return text


@agent
def plain(text: str) -> str:
    logging.getLogger("my.library").warning("on a thread")
    return text


async def test_lines_of_an_agent_and_of_its_libraries_carry_its_task(configure, printed):
    configure({})
    memory = MemorySwarm(talker, plain)
    for one in memory.agents:
        worker = replace(memory.worker(one), log=Log.of_agent(one.name))
        memory.runtimes[one.name] = Runtime(worker)
    ids = [await memory.submit(one, text="four") for one in memory.agents]
    await memory.settle_down()
    own, library, thread = (line for line in printed() if line["event"] in SAID)
    assert (own["length"], own["attempt"]) == (4, 1)
    assert [line["task_id"] for line in (own, library, thread)] == [ids[0], ids[0], ids[1]]
    assert [line["agent"] for line in (own, library, thread)] == ["talker", "talker", "plain"]
    assert library["logger"] == "my.library"
    assert (library["level"], thread["level"]) == ("INFO", "WARNING")


def test_outside_of_agents_a_line_carries_no_task(configure, printed):
    configure({})
    logging.getLogger("my.library").info("hello")
    [line] = printed()
    assert "task_id" not in line


def test_no_line_is_said_twice_beside_lambdas_own_handler(configure, printed):
    configure({"AWS_LAMBDA_FUNCTION_NAME": "f"}, logging.StreamHandler())  # AWS's
    configure_logging({"AWS_LAMBDA_FUNCTION_NAME": "f"})
    Log().info("once")
    assert [line["event"] for line in printed()] == ["once"]


def test_handlers_that_somebody_has_set_stay_and_get_the_fields(configure, printed):
    mine = io.StringIO()
    handler = logging.StreamHandler(mine)
    handler.setFormatter(logging.Formatter("%(name)s %(agent)s %(message)s"))
    configure({}, handler)
    log = Log.of_agent("a")
    contextvars.copy_context().run(lambda: (log.attach(), log.info("said")))
    assert mine.getvalue() == "sqswarm.agent.a a said\n"
    assert printed() == []


@pytest.mark.parametrize(
    ("environment", "heard"),
    [
        pytest.param({}, ["info", "warning"], id="default"),
        pytest.param({"AWS_LAMBDA_LOG_LEVEL": "WARN"}, ["warning"], id="lambdas-own"),
        pytest.param({"SQSWARM_LOG_LEVEL": "debug"}, ["debug", "info", "warning"], id="ours"),
        pytest.param(
            {"AWS_LAMBDA_LOG_LEVEL": "ERROR", "SQSWARM_LOG_LEVEL": "WARNING"},
            ["warning"],
            id="ours-counts-for-more",
        ),
    ],
)
def test_the_level_is_the_environments(configure, printed, environment, heard):
    log = configure(environment)
    log.debug("debug")
    log.info("info")
    log.warning("warning")
    assert [line["event"] for line in printed()] == heard


def test_an_agents_logger_has_a_level_of_its_own(configure, printed):
    configure({})
    logging.getLogger("sqswarm.agent.quiet").setLevel(logging.ERROR)
    Log.of_agent("quiet").warning("unheard")
    Log.of_agent("loud").warning("heard")
    assert [line["event"] for line in printed()] == ["heard"]


def test_no_level_is_refused_by_its_name():
    with pytest.raises(InvalidSettings, match="SQSWARM_LOG_LEVEL='LOUD'"):
        configure_logging({"SQSWARM_LOG_LEVEL": "loud"})


def test_no_secret_is_written_down_whoever_writes(monkeypatch):
    key = "sk-ant-" + "a" * 30
    monkeypatch.setenv("ANTHROPIC_API_KEY", 'quo"ted-secret')
    said = io.StringIO()
    Log.to(said).info("key.found", key=key, other='quo"ted-secret', deep={"list": [key]})
    assert "[secret]" in said.getvalue()
    record = logging.LogRecord("x", logging.INFO, "", 0, "it is %s", (key,), None)
    for text in (said.getvalue(), JsonFormatter().format(record)):
        assert key not in text
        assert "ted-secret" not in text


def test_what_is_no_json_and_what_was_raised_are_written_as_text():
    said = io.StringIO()
    log = Log.to(said)
    log.info("thing.made", thing=object())
    try:
        raise ValueError("oops")
    except ValueError:
        log.logger.exception("it broke")
    first, second = map(json.loads, said.getvalue().splitlines())
    assert first["thing"].startswith("<object")
    assert "ValueError: oops" in second["traceback"]
