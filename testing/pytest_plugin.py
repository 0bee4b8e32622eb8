"""The pytest plugin: fixtures for agents in memory, for a local AWS, and for agents deployed to it.

It is loaded in every project that has sqswarm installed, so it imports nothing but pytest before
one of its fixtures is used. No fixture ever reaches the real AWS, whatever the shell is set up for.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Generator, Iterator
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from sqswarm import Swarm
    from sqswarm.testing import FakeClaude, LocalAws, MemorySwarm
    from sqswarm.testing.deployed import Deployed

_KINDS = ("localstack", "ministack")

_reports = pytest.StashKey[list[tuple[str, Callable[[], str]]]]()
_passed = pytest.StashKey[bool]()

_MARKERS = (
    "agents(*agents): what `memory_swarm` and `swarm` run: lists of agents, modules, their names",
    "faults(*faults): what goes wrong in `memory_swarm`: Kill, Failure, Throttle, Duplicate",
    "localstack: `local_aws` and `swarm` run on LocalStack",
    "ministack: `local_aws` and `swarm` run on ministack",
)


def pytest_addoption(parser: pytest.Parser) -> None:
    """Add --sqswarm-emulator, and the setting of the same name."""
    text = "emulator of `local_aws` and `swarm`: localstack (the default) or ministack"
    group = parser.getgroup("sqswarm")
    group.addoption("--sqswarm-emulator", choices=_KINDS, default=None, help=text)
    parser.addini("sqswarm_emulator", help=text, default="localstack")


def pytest_configure(config: pytest.Config) -> None:
    """Tell of the markers."""
    for marker in _MARKERS:
        config.addinivalue_line("markers", marker)


def pytest_pycollect_makeitem(collector: pytest.Collector, name: str, obj: object) -> None:
    """Refuse a test that its marker has handed to an agent: it would be no test, silently.

    To pytest, `mark.agents(weigh)` marks the function `weigh`, and then that is the decorator.
    """
    if name.startswith("test") and inspect.iscoroutine(obj):
        obj.close()
        message = f"{name} was called as an agent's argument: write @pytest.mark.agents([...])"
        raise collector.CollectError(message)


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(
    item: pytest.Item, call: pytest.CallInfo[None]
) -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Let a test that failed show its tasks and their logs."""
    report = yield
    if call.when == "call":
        item.stash[_passed] = report.passed
        if report.failed:
            for title, tell in item.stash.get(_reports, []):
                try:
                    text = tell()
                except Exception as error:  # what made the test fail may be in its way too
                    text = f"cannot be told: {error!r}"
                report.sections.append((f"sqswarm: {title}", text))
    return report


@pytest.fixture
def memory_swarm(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch
) -> Iterator[MemorySwarm]:
    """The project's agents, or those of the marker `agents`, in memory and on virtual time.

    The marker `faults` says what goes wrong; a fault that does not happen fails the test. Unless
    the test has a local AWS as well, no AWS can be reached meanwhile.
    """
    from sqswarm.testing import MemorySwarm
    from sqswarm.testing.local_aws import NO_AWS, led_to

    faults = [one for mark in request.node.iter_markers("faults") for one in mark.args]
    with ExitStack() as stack:
        if not {"local_aws", "swarm"} & {*request.fixturenames}:
            stack.enter_context(led_to(monkeypatch, NO_AWS))
        made = MemorySwarm(*_agents(request), faults=faults, notify=_notify(request))
        memory = stack.enter_context(made)
        _tell(request, "tasks in memory", memory.report)
        yield memory
        if request.node.stash.get(_passed, False) and (left := memory.faults.left):
            pytest.fail(f"faults that have not happened: {', '.join(map(repr, left))}")


@pytest.fixture
def local_aws(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    _sqswarm_emulators: _Emulators,
) -> Iterator[LocalAws]:
    """A local AWS with nothing in it, for boto3 and every other SDK: no Docker, no account.

    Each process of pytest-xdist starts one, once. Beside `swarm` it is the one that the agents
    are deployed to, and holds their resources.
    """
    from sqswarm.testing.local_aws import led_to

    deployed = "swarm" in request.fixturenames
    aws = _sqswarm_emulators.get(_kind(request), deployed=deployed)
    if not deployed:
        if aws.used:
            aws.reset()
        aws.used = True
    with led_to(monkeypatch, aws.variables):
        yield aws


@pytest.fixture
def swarm(
    request: pytest.FixtureRequest,
    monkeypatch: pytest.MonkeyPatch,
    _sqswarm_emulators: _Emulators,
) -> Iterator[Swarm]:
    """The project's agents, or those of the modules that the marker `agents` names, deployed.

    They are deployed once in a test run; each test finds the stage without tasks and messages.
    """
    from sqswarm.testing.local_aws import led_to

    aws = _sqswarm_emulators.get(_kind(request), deployed=True)
    claude = _sqswarm_emulators.claude()
    deployed = _sqswarm_emulators.deployed(aws)
    with led_to(monkeypatch, {**aws.variables, **deployed.variables}):
        monkeypatch.setenv("ANTHROPIC_BASE_URL", claude.base_url)
        deployed.ready(request.config.rootpath, _modules(request))
        with deployed.connect() as connected:
            _tell(request, "tasks on the local AWS", lambda: deployed.report(connected))
            yield connected


@pytest.fixture
def fake_claude(
    monkeypatch: pytest.MonkeyPatch, _sqswarm_emulators: _Emulators
) -> Iterator[FakeClaude]:
    """The Messages API, played from a script: agents in memory and deployed ones ask it.

    Without a script (`fake_claude.plays(...)`) it repeats what it was told.
    """
    claude = _sqswarm_emulators.claude()
    claude.forget()
    monkeypatch.setenv("ANTHROPIC_BASE_URL", claude.base_url)
    monkeypatch.delenv("ANTHROPIC_API_KEY", raising=False)
    yield claude
    claude.forget()


class _Emulators:
    """What one process of a test run has started; all of it ends with the run."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._made: dict[tuple[str, bool], LocalAws] = {}
        self._deployed: dict[str, Deployed] = {}
        self._claude: FakeClaude | None = None

    def get(self, kind: Any, *, deployed: bool) -> LocalAws:
        """Return the emulator of a kind; agents have one apart, so that no reset undeploys them."""
        from sqswarm.testing.local_aws import running_local_aws

        found = self._made.get((kind, deployed))
        if found is None:
            found = self._stack.enter_context(running_local_aws(kind))
            self._made[kind, deployed] = found
        return found

    def deployed(self, aws: LocalAws) -> Deployed:
        from sqswarm.testing.deployed import Deployed

        return self._deployed.setdefault(aws.kind, Deployed(aws))

    def claude(self) -> FakeClaude:
        from sqswarm.testing.fake_claude import Script, fake_claude

        if self._claude is None:
            self._claude = self._stack.enter_context(fake_claude(Script()))
        return self._claude


@pytest.fixture(scope="session")
def _sqswarm_emulators() -> Iterator[_Emulators]:
    with ExitStack() as stack:
        yield _Emulators(stack)


def _kind(request: pytest.FixtureRequest) -> str:
    for kind in _KINDS:
        if request.node.get_closest_marker(kind) is not None:
            return kind
    chosen = request.config.getoption("--sqswarm-emulator")
    return str(chosen or request.config.getini("sqswarm_emulator"))


def _agents(request: pytest.FixtureRequest) -> list[Any]:
    """Return the agents of the closest marker, or the project's."""
    from sqswarm.workers.registry import load_agents

    marked = _marked(request)
    if marked is not None:
        names = [one for one in marked if isinstance(one, str)]
        loaded = list(load_agents(names).values()) if names else []
        return [*(one for one in marked if not isinstance(one, str)), *loaded]
    from sqswarm.infra.project import find_project

    project = find_project(request.config.rootpath)
    project.activate()
    return list(load_agents(project.modules).values())


def _notify(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """Return who may be named to be told, as the project says; nobody where there is none."""
    from sqswarm.infra.project import find_project
    from sqswarm.schemas.errors import UsageError

    try:
        return find_project(request.config.rootpath).notify.targets
    except UsageError:
        return ()


def _modules(request: pytest.FixtureRequest) -> tuple[str, ...]:
    """Return the names of the modules of the closest marker; none where the project's count.

    An agent stands for the module that it is declared in.
    """
    return tuple(dict.fromkeys(_module(one) for one in _marked(request) or ()))


def _module(one: Any) -> str:
    from sqswarm.workers.agent import Agent

    if isinstance(one, str):
        return one
    return str(one.__module__ if isinstance(one, Agent) else one.__name__)


def _marked(request: pytest.FixtureRequest) -> list[Any] | None:
    """Return what the closest marker `agents` names; None where there is no such marker."""
    mark = request.node.get_closest_marker("agents")
    if mark is None:
        return None
    given: list[Any] = []
    for one in mark.args:
        given += one if isinstance(one, (list, tuple)) else [one]
    return given


def _tell(request: pytest.FixtureRequest, title: str, tell: Callable[[], str]) -> None:
    request.node.stash.setdefault(_reports, []).append((title, tell))
