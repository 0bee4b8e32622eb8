"""The example is no installed package: its folder goes on the path, as `[tool.sqswarm]` has it."""

import base64
import io
import sys
import zipfile
from pathlib import Path

import pytest

EXAMPLE = Path(__file__).parents[2] / "examples" / "01_dependency_review"
if str(EXAMPLE) not in sys.path:
    sys.path.insert(0, str(EXAMPLE))


@pytest.fixture
def package():
    """Make a Package from headers, files and sources, all optional."""
    from dependency_review.package import Package

    def make(*, sources=None, licences=None, pth=None, files=None, **fields):
        content = {}
        if sources:
            buffer = io.BytesIO()
            with zipfile.ZipFile(buffer, "w") as archive:
                for path, source in sources.items():
                    raw = source.encode() if isinstance(source, str) else source
                    archive.writestr(path, raw)
            content = {
                "source_zip_b64": base64.b64encode(buffer.getvalue()).decode(),
                "source_files_total": len(sources),
                "source_files_included": len(sources),
            }
        listed = files if files is not None else list(sources or {})
        return Package(
            **{
                "name": "demo",
                "version": "1.0",
                "file_sizes": dict.fromkeys(listed, 10),
                "licence_files": licences or {},
                "start_up_files": pth or {},
                **content,
                **fields,
            }
        )

    return make


@pytest.fixture(scope="session")
def installed():
    """Every distribution that this environment really has, by name."""
    from collect import collect

    return {package.name: package for package in collect()}


class FakeTask:
    """A finished task's handle."""

    def __init__(self, task_id, agent, value, error):
        self.id, self.agent, self._error, self._value = task_id, agent, error, value

    def status(self):
        return "failed" if self._error else "completed"

    def error(self):
        return self._error

    def result(self, timeout=None):  # noqa: ARG002
        return self._value


class FakeSwarm:
    """Runs agents in place, through the same signature that workers use."""

    enriching = (
        *("api_surface", "dependencies", "installation", "licence"),
        *("maintenance", "readme", "risk"),
    )

    def __init__(self, broken=()):
        self.broken, self.tasks, self.interrupt = broken, {}, False

    def _run(self, name, arguments):
        import json

        from dependency_review import agents

        agent = getattr(agents, name)
        value = error = None
        if name in self.broken:
            error = RuntimeError(f"{name} broke")
        else:
            bound = agent.signature.bind(json.loads(json.dumps(arguments)))
            value = json.loads(agent.signature.encode(agent(**bound))[0])
        task = FakeTask(f"task-{len(self.tasks)}", name, value, error)
        self.tasks[task.id] = task
        return task

    def publish_many(self, topic, payloads):
        assert topic == "packages"
        return [[self._run(name, payload) for name in self.enriching] for payload in payloads]

    def submit(self, agent, /, **arguments):
        return self._run(agent, arguments)

    def wait(self, tasks, timeout=None):  # noqa: ARG002
        for task_id in tasks:
            if self.interrupt:
                raise KeyboardInterrupt
            yield self.tasks[task_id]


@pytest.fixture
def fake_swarm():
    return FakeSwarm()
