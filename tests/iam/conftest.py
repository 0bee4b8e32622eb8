"""The stage, its roles at work, and what became of the scenarios."""

import asyncio
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from unittest.mock import patch

import aioboto3
import pytest
from repairs import repairs
from scenarios import BIG, SCENARIOS
from served import serve
from stage import (
    PROJECT,
    REGION,
    EventSource,
    Stage,
    asking_emulator,
    options_without_credentials,
)
from visitor import Visitor

from sqswarm.backends.aws.caller import AioCaller
from sqswarm.dispatcher.server import context as server_context
from sqswarm.dispatcher.server.app import build_app
from sqswarm.dispatcher.server.auth import access_from_environment
from sqswarm.dispatcher.server.context import ServerContext, ServerSettings
from sqswarm.schemas.settings import Settings
from sqswarm.testing.fake_claude import fake_claude
from sqswarm.workers.hosts.container.service import WorkerOptions, _pollers
from sqswarm.workers.registry import load_agents

SCRIPT = {
    "scenes": [
        {
            "when": "go",
            "turns": [
                {"use": [{"tool": "plain", "input": {"text": "tooled"}}]},
                {"say": "done {last}"},
            ],
        },
        {"when": "hello", "turns": [{"say": "heard"}]},
        {
            "when": "large",
            "turns": [
                {
                    "use": [{"tool": "plain", "input": {"text": "t", "size": 150_000, "pad": BIG}}],
                    "tokens": 9,
                },
                {"say": "y" * 150_001, "tokens": 9},
            ],
        },
        {"when": "fail", "turns": [{"stop_reason": "refusal"}]},
        {"when": "busy", "turns": [{"say": "calm"}]},
    ],
    "faults": {"rate_limited": 0.3, "retry_after_ms": 100, "seed": 3},
}


@pytest.fixture(scope="session")
def stage(tmp_path_factory):
    log = tmp_path_factory.mktemp("iam") / "asked.jsonl"
    log.touch()
    # The process's environment names the emulator of the other tests, before and after this.
    with asking_emulator(log) as apart, pytest.MonkeyPatch.context() as patched:
        patched.syspath_prepend(str(PROJECT))
        made = Stage(apart.variables, log)
        yield made
        made.close()


@pytest.fixture(scope="session")
def guild(stage):
    settings = Settings.from_env(stage.environment("dispatcher"))
    with patch.object(server_context, "client_factory", lambda _: stage.roles["dispatcher"]):
        made = asyncio.run(ServerContext.connect_threaded(settings, ServerSettings()))

    env = {**os.environ, "SQSWARM_AUTH": "none"}
    with serve(
        partial(build_app, made), lambda log: access_from_environment(env, log=log)
    ) as running:
        yield Visitor(stage, running)


@pytest.fixture(scope="session")
def at_work(stage):
    """Let every agent work under its role; agents of containers in one thread."""
    with fake_claude(SCRIPT) as claude, pytest.MonkeyPatch.context() as patched:
        patched.setenv("ANTHROPIC_BASE_URL", claude.base_url)
        sources = [EventSource(stage, name) for name in stage.plan.specs if name != "hauler"]
        sources.append(EventSource(stage, "unrouted", lambda event, _: stage.housekeeping(event)))
        container = Container(stage, "hauler")
        yield
        for source in sources:
            source.ask_to_stop()
        container.stop()
        for source in sources:
            source.stop()


class Container:
    """What `sqswarm work` does for one agent."""

    def __init__(self, stage, agent):
        self._ready = threading.Event()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._work(stage, agent)))
        self._thread.start()
        self._ready.wait()

    async def _work(self, stage, agent):
        self._loop, self._stopping = asyncio.get_running_loop(), asyncio.Event()
        settings = Settings.from_env(stage.environment(agent))
        given = stage.roles[agent].credentials
        session = aioboto3.Session(
            aws_access_key_id=given["AccessKeyId"],
            aws_secret_access_key=given["SecretAccessKey"],
            aws_session_token=given["SessionToken"],
            region_name=REGION,
        )
        caller = AioCaller(session, lambda service: options_without_credentials(settings, service))
        found = load_agents(["guild.agents"])[agent]
        [poller] = await _pollers(settings, caller, {agent: found}, WorkerOptions(slots=4))
        self._ready.set()
        try:
            await poller.run(self._stopping, grace_s=5)
        finally:
            await caller.close()

    def stop(self):
        self._loop.call_soon_threadsafe(self._stopping.set)
        self._thread.join()


@pytest.fixture(scope="session")
def played(guild, at_work):
    """Play every scenario, side by side; return what each came to: None, or what it raised."""
    with patch.dict(os.environ, guild.stage.variables):
        with ThreadPoolExecutor(12) as pool:
            running = {name: pool.submit(play, guild) for name, play in SCENARIOS.items()}
        told = {name: future.exception() for name, future in running.items()} | repairs(guild)
        guild.stage.keep_what_was_asked()
    return told
