"""What a user installs: the wheel, in an empty environment, beside packages of the same names."""

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from pathlib import Path

import pytest
from slowness import slowness

from sqswarm.infra.local import environment
from sqswarm.infra.local.environment import find_uv, missing_needs
from sqswarm.infra.local.isolated import free_port

pytestmark = pytest.mark.proof  # it builds, installs and deploys: over a minute

ROOT = Path(__file__).parents[2]
FOLDERS = ("schemas", "backends", "dispatcher", "workers", "infra", "testing")
PARTS = (*FOLDERS, "localstack", "src", "pyproject.toml", "README.md", "LICENSE")
NOT_SOURCE = shutil.ignore_patterns(
    "__pycache__", "*.egg-info", "build", ".*_cache", ".git", ".venv"
)

PROJECT = {
    "pyproject.toml": '[tool.sqswarm]\nagents = ["app.agents"]\nrequirements = ["wrapt"]\n',
    "app/__init__.py": "",
    "app/agents.py": (
        "from sqswarm import agent\n"
        "from schemas.letters import Letter\n"
        "@agent(timeout=10)\n"
        "async def loud(text: str) -> Letter:\n"
        '    """Say it loud."""\n'
        "    from single import MARK\n"
        "    from workers.shout import shout\n"
        "    return Letter(text=shout(text) + MARK)\n"
    ),
    "schemas/__init__.py": "",
    "schemas/letters.py": (
        "from pydantic import BaseModel\nclass Letter(BaseModel):\n    text: str\n"
    ),
    "workers/shout.py": "def shout(text):\n    return text.upper()\n",
    "single.py": "MARK = '!'\n",
    "tests/test_it.py": "",
}


def run(*command, cwd, fails=False, **variables):
    """Run a command; return what it printed. Only `variables` of ours and AWS's are set."""
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "SQSWARM_", "PYTHON"))}
    done = subprocess.run(
        [*map(str, command)],
        cwd=cwd,
        env={**kept, **variables},
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    assert (done.returncode != 0) is fails, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.fixture(scope="module")
def uv():
    found = find_uv()
    assert found, "uv comes with the extra `local`"
    return found


@pytest.fixture(scope="module")
def tree(tmp_path_factory):
    """A copy of what a clone has, without what was built in it."""
    folder = tmp_path_factory.mktemp("tree")
    for part in PARTS:
        source = ROOT / part
        if source.is_dir():
            shutil.copytree(source, folder / part, symlinks=True, ignore=NOT_SOURCE)
        else:
            shutil.copy(source, folder / part)
    return folder


@pytest.fixture(scope="module")
def wheel(tree, uv):
    """The wheel that is built from the sdist, as PyPI's is."""
    run(uv, "build", "--quiet", "--out-dir", tree / "dist", ".", cwd=tree)
    (found,) = (tree / "dist").glob("*.whl")
    return found


@pytest.fixture(scope="module")
def python(wheel, uv, tmp_path_factory):
    """An interpreter with `sqswarm[local]` and nothing else."""
    folder = tmp_path_factory.mktemp("user") / "venv"
    run(uv, "venv", "--quiet", "--python", sys.executable, folder, cwd=folder.parent)
    python = folder / "bin" / "python"
    asked = f"sqswarm[local] @ {wheel.as_uri()}"
    install = (uv, "pip", "install", "--quiet", "--compile-bytecode", "--python", python, asked)
    run(*install, "wrapt", cwd=folder)
    return python


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    """A project whose packages are called like folders of ours."""
    folder = tmp_path_factory.mktemp("project")
    for name, text in PROJECT.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return folder


@pytest.fixture(scope="module")
def here(request, python, project, tmp_path_factory):
    """Run a command of the environment in the project, with a local AWS the wheel has started."""
    home = tmp_path_factory.mktemp("home")
    shared = environment.venvs_dir()
    shared.mkdir(parents=True, exist_ok=True)
    (home / "venvs").symlink_to(shared, target_is_directory=True)

    def call(command, *words, fails=False):
        command = python.with_name(command)
        return run(command, *words, cwd=project, fails=fails, SQSWARM_HOME=str(home))

    kind = request.config.getoption("--emulator")
    try:
        call("sqswarm", "up", "--emulator", kind, "--port", free_port())
        assert "deployed 1 agent" in call("sqswarm", "deploy")
        yield call
    finally:
        call("sqswarm", "down", "--all")


def contents(wheel):
    with zipfile.ZipFile(wheel) as archive:
        return {n: archive.read(n) for n in archive.namelist() if not n.endswith("/RECORD")}


def test_the_wheel_is_the_same_with_and_without_an_sdist_between(tree, wheel, uv):
    run(uv, "build", "--quiet", "--wheel", "--out-dir", tree / "direct", ".", cwd=tree)
    (direct,) = (tree / "direct").glob("*.whl")
    assert contents(direct) == contents(wheel)


def test_the_wheel_holds_all_that_runs_and_nothing_else(tree, wheel):
    names = {n for n in contents(wheel) if ".dist-info/" not in n}
    code = {f"sqswarm/{p.relative_to(tree)}" for f in FOLDERS for p in (tree / f).rglob("*.py")}
    plugin = tree / "localstack" / "plugin"
    code |= {f"sqswarm/{p.relative_to(tree)}" for p in plugin.rglob("*.py")}
    data = {"py.typed", "__init__.py", "__main__.py", "mypy_plugin.py"}
    data.add("localstack/plugin/pyproject.toml")
    data |= {f"localstack/{n}" for n in ("constraints.txt", "constraints_ministack.txt")}
    data.add("localstack/compose.yaml")
    templates = tree / "infra" / "scaffold" / "templates"
    data |= {p.relative_to(tree).as_posix() for p in templates.rglob("*") if p.is_file()}
    assert names == code | {f"sqswarm/{name}" for name in data}


def test_nothing_else_stands_at_the_top_of_site_packages(python):
    code = (
        "import importlib.metadata as m, importlib.util as u, json\n"
        "tops = {p.parts[0] for p in m.files('sqswarm') if p.parts[0] != '..'}\n"
        "names = ['sqswarm_localstack', *'schemas workers infra tests benchmarks'.split()]\n"
        "print(json.dumps([sorted(tops), [n for n in names if u.find_spec(n)]]))\n"
    )
    tops, others = json.loads(run(python, "-I", "-c", code, cwd="/"))
    assert [re.sub(r"-.*\.dist-info$", "", top) for top in tops] == ["sqswarm", "sqswarm"]
    assert others == []


def test_python_m_sqswarm_is_the_command_line(python):
    command = python.with_name("sqswarm")
    said = run(python, "-m", "sqswarm", "--version", cwd="/")
    assert said.startswith("sqswarm ")
    assert said == run(command, "--version", cwd="/")


def test_a_local_aws_is_not_started_where_functions_could_not_run(monkeypatch):
    assert missing_needs("localstack") is None
    monkeypatch.setattr(environment, "find_spec", lambda _: None)
    assert "pip install 'sqswarm[local]'" in missing_needs("localstack").hint
    assert missing_needs("ministack") is None


@pytest.mark.skipif(sys.platform != "linux", reason="the archive holds wheels for Lambda")
def test_the_archive_for_aws_imports_in_isolation(python, project, uv, tmp_path):
    pack = (
        "from pathlib import Path\n"
        "from sqswarm.infra.deploy import bundle_of\n"
        "from sqswarm.infra.plan import plan\n"
        "from sqswarm.infra.project import find_project\n"
        "made = bundle_of(plan(find_project(Path.cwd()), stage='dev'), local=False)\n"
        "made.check()\n"
        f"Path({str(tmp_path / 'code.zip')!r}).write_bytes(made.archive())\n"
    )
    run(python, "-c", pack, cwd=project, SQSWARM_HOME=str(tmp_path / "home"))
    with zipfile.ZipFile(tmp_path / "code.zip") as archive:
        archive.extractall(tmp_path / "task")
    here = {path.name for path in (tmp_path / "task").iterdir()}
    assert {"app", "schemas", "workers", "single.py", "sqswarm", "pydantic", "wrapt"} <= here
    assert not {"tests", "boto3"} & here
    run(uv, "pip", "install", "--quiet", "--target", tmp_path / "lambda", "boto3", cwd=tmp_path)
    start = (
        "import sys\n"
        f"sys.path[:0] = [{str(tmp_path / 'task')!r}, {str(tmp_path / 'lambda')!r}]\n"
        "import asyncio, sqswarm.workers.hosts.lambda_handler, sqswarm.workers.hosts.housekeeping\n"
        "from sqswarm.workers.registry import load_agents\n"
        "loud = load_agents(['app.agents'])['loud']\n"
        "print(loud.spec.name, asyncio.run(loud('hi')).text, sqswarm.__file__)\n"
    )
    said = run(sys.executable, "-I", "-S", "-c", start, cwd="/")
    assert said.startswith(f"loud HI! {tmp_path}/task/sqswarm/")


@pytest.mark.localstack
def test_up_deploy_and_submit_work_from_the_wheel(here):
    assert '"HI!"' in here("sqswarm", "submit", "loud", "text=hi", "--wait")
    said = here("sqswarm", "doctor")
    assert "functions: start" in said
    assert "imports: functions find all" in said


@pytest.mark.localstack
def test_from_nothing_to_a_first_result_in_a_minute_after_the_install(python, uv, tmp_path):
    """As docs/start.md says it, with a home of its own: the local AWS's environment is made too."""
    home = {"SQSWARM_HOME": str(tmp_path / "home")}
    command = python.with_name("sqswarm")
    before = slowness()
    begun = time.monotonic()
    run(command, "init", "demo", cwd=tmp_path, **home)
    demo = tmp_path / "demo"
    kept = {k: v for k, v in os.environ.items() if not k.startswith(("AWS_", "SQSWARM_"))}
    with subprocess.Popen(
        [command, "dev", "--port", str(free_port())],
        cwd=demo,
        env={**kept, **home},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    ) as dev:
        said = ""
        try:
            while "watching" not in said:
                line = dev.stdout.readline()
                assert line, said
                said += line
            ask = ("submit", "keywords", "title=Queues", "text=hold", "--wait")
            assert '"queues"' in run(command, *ask, cwd=demo, **home)
            took_s = time.monotonic() - begun
        finally:
            dev.send_signal(signal.SIGINT)
            said += dev.communicate(timeout=60)[0]
    assert dev.returncode == 0, said
    assert "is stopped" in said
    slowed = max(before, slowness())
    assert took_s / slowed < 60, f"{took_s:.1f} s, on a machine slowed {slowed:.1f} times"
    # Its tests, in the same environment, with pytest beside; docs/start.md lets make do it.
    run(uv, "pip", "install", "--quiet", "--python", python, "pytest", cwd=demo)
    run(
        python, "-m", "pytest", "-q", "tests/test_unit.py", "tests/test_memory.py", cwd=demo, **home
    )


REPLACE = """
import sys
from dataclasses import replace
from pathlib import Path
from sqswarm.backends.aws.connect import client, settings_from_environment
from sqswarm.infra.deploy import bundle_of
from sqswarm.infra.plan import plan
from sqswarm.infra.project import find_project
made = bundle_of(plan(find_project(Path.cwd()), stage="dev"), local=True)
made = replace(made, files={**made.files, "app/agents.py": Path(sys.argv[1])})
functions = client(settings_from_environment(), "lambda")
functions.update_function_code(FunctionName="sqswarm-dev-loud", ZipFile=made.archive())
functions.get_waiter("function_updated_v2").wait(FunctionName="sqswarm-dev-loud")
"""


@pytest.mark.localstack
def test_code_that_stops_loading_fails_its_tasks_with_the_reason(here, tmp_path):
    """Replaced behind deploy's back, as where a package vanishes."""
    (tmp_path / "broken.py").write_text("x = 1\nimport vanished_package\n")
    here("python", "-c", REPLACE, tmp_path / "broken.py")
    said = here("sqswarm", "submit", "loud", "text=hi", "--wait", fails=True)
    assert "AgentNotLoaded" in said
    assert "No module named 'vanished_package'" in said
    assert 'app/agents.py", line 2: import vanished_package' in said
    assert "AgentNotLoaded" in here("sqswarm", "dlq", "loud")
    said = here("sqswarm", "doctor", fails=True)
    assert "sqswarm-dev-loud cannot start" in said
    assert "vanished_package" in said
    here("sqswarm", "deploy")  # gives it the code that belongs there
    assert '"HI!"' in here("sqswarm", "submit", "loud", "text=hi", "--wait")


@pytest.mark.localstack
@pytest.mark.parametrize(
    "crash",
    [
        pytest.param("raise RuntimeError('no way')", id="raises"),
        pytest.param("os._exit(3)", id="exits"),
    ],
)
def test_code_that_only_fails_in_a_function_is_an_error_of_the_deployment(here, project, crash):
    agents = project / "app" / "agents.py"
    good = agents.read_text()
    agents.write_text(f"import os\nif 'AWS_LAMBDA_FUNCTION_NAME' in os.environ: {crash}\n{good}")
    try:
        said = here("sqswarm", "deploy", fails=True)
        assert "sqswarm-dev-loud cannot start" in said
        assert "its log: /aws/lambda/sqswarm-dev-loud" in said
    finally:
        agents.write_text(good)
    # What stood before stands again, without another deployment.
    assert '"HI!"' in here("sqswarm", "submit", "loud", "text=hi", "--wait")
