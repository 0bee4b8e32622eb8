import json
import subprocess
import sys
from importlib.metadata import version

import pytest
from typer.testing import CliRunner

from sqswarm.infra.cli.app import app
from sqswarm.infra.cli.output import duration

runner = CliRunner(
    env={"AWS_ENDPOINT_URL": "", "SQSWARM_STAGE": "", "SQSWARM_HOME": "/nonexistent"}
)
VERBS = [
    *(
        "init",
        "dev",
        "up",
        "down",
        "deploy",
        "destroy",
        "synth",
        "agents",
        "submit",
        "map",
        "run",
        "runs",
    ),
    *(
        "publish",
        "get",
        "show",
        "wait",
        "list",
        "cancel",
        "inbox",
        "answer",
        "send",
        "work",
        "serve",
        "mcp",
    ),
    *("replay", "resume"),
    *("ui", "stats", "dlq", "redrive", "purge", "logs", "cost", "doctor"),
]


def test_the_version_is_told():
    told = runner.invoke(app, ["--version"])
    assert (told.exit_code, told.stdout) == (0, f"sqswarm {version('sqswarm')}\n")


@pytest.mark.parametrize("verb", VERBS)
def test_the_help_of_every_verb_teaches_by_example(verb):
    result = runner.invoke(app, [verb, "--help"])
    assert result.exit_code == 0
    assert f"Example: sqswarm {verb}" in " ".join(result.stdout.split())
    assert "--json" in result.stdout


def test_help_loads_nothing_heavy():
    code = (
        "import sys\nfrom sqswarm.infra.cli.app import app\n"
        "heavy = {'boto3', 'botocore', 'troposphere', 'pydantic', 'mcp', 'aioboto3', 'anthropic'}\n"
        "print(sorted(heavy & sys.modules.keys()))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.fixture
def project(tmp_path, monkeypatch):
    (tmp_path / "pyproject.toml").write_text('[tool.sqswarm]\nagents = ["synth_agents"]\n')
    (tmp_path / "synth_agents.py").write_text(
        "from sqswarm import agent\n\n\n@agent\nasync def shout(text: str) -> str:\n"
        '    """Say it louder."""\n    return text.upper()\n'
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    sys.modules.pop("synth_agents", None)


def test_synth_prints_the_template_and_asks_nobody(project):
    result = runner.invoke(app, ["synth", "--stage", "trial"])
    assert result.exit_code == 0, result.stderr
    functions = [
        resource["Properties"]["FunctionName"]
        for resource in json.loads(result.stdout)["Resources"].values()
        if resource["Type"] == "AWS::Lambda::Function"
    ]
    assert functions == ["sqswarm-trial-shout", "sqswarm-trial-housekeeping"]


def test_synth_prints_the_stack_that_is_asked_for(project, monkeypatch):
    refused = runner.invoke(app, ["synth", "--part", "2"])
    assert refused.exit_code == 2
    assert "is 1 stack" in refused.stderr
    monkeypatch.setattr("sqswarm.infra.template.parts.RESOURCE_LIMIT", 30)
    monkeypatch.setattr("sqswarm.infra.template.parts.ROOM", 20)
    result = runner.invoke(app, ["synth", "--part", "2"])
    assert result.exit_code == 0, result.stderr
    assert "stack 2 of 2" in result.stderr
    resources = json.loads(result.stdout)["Resources"]
    assert "ShoutQueue" in resources
    assert "Table" not in resources


def test_synth_without_a_project_says_what_to_write(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    result = runner.invoke(app, ["synth"])
    assert result.exit_code == 2
    assert "no [tool.sqswarm]" in result.stderr
    assert "fix: " in result.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ["agents"],
        ["submit", "echo"],
        ["get", "x"],
        ["show", "x"],
        ["list"],
        ["dlq"],
        ["logs"],
        ["destroy"],
    ],
    ids=" ".join,
)
def test_an_endpoint_where_nothing_listens_is_told_at_once(arguments):
    result = runner.invoke(app, [*arguments, "--endpoint", "http://127.0.0.1:1"])
    assert result.exit_code == 3
    assert result.stderr.startswith("error: nothing answers at http://127.0.0.1:1")
    assert "sqswarm up" in result.stderr


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        pytest.param(["up", "--emulator", "moto"], "no emulator 'moto'", id="emulator"),
        pytest.param(["list", "--status", "done"], "no status 'done'", id="status"),
        pytest.param(["logs", "--since", "soon"], "is no time", id="since"),
        pytest.param(["submit", "echo", "--timeout", "3"], "without --wait", id="timeout"),
        pytest.param(["agents", "--endpoint", "nowhere"], "not an http", id="endpoint"),
        pytest.param(["agents", "--stage", "Not A Stage"], "stage", id="stage"),
        pytest.param(["map", "echo", "-", "--tolerate", "1"], "detached has such", id="attached"),
        pytest.param(
            ["map", "echo", "-", "--detach", "--unordered"], "nobody waits", id="detached"
        ),
        pytest.param(
            ["map", "echo", "-", "--detach", "--tolerate", "few"], "neither a share", id="tolerate"
        ),
        pytest.param(["map", "echo", "s3://b/rows.csv"], "lives in the swarm", id="s3"),
        pytest.param(["run", "x", "--cancel", "--wait"], "one thing is done", id="run"),
        pytest.param(["map", "echo", "/no/such.jsonl"], "No such file", id="file"),
        pytest.param(["answer", "x", "y", '{"a":1,"a":2}'], "'a' twice", id="doubled-name"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_asked(arguments, says):
    result = runner.invoke(app, arguments)
    assert result.exit_code == 2, result.stderr
    assert says in result.stderr


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(0, "0 s"), (59, "59 s"), (60, "1 min"), (3700, "1 h 1 min"), (90_000, "1 d 1 h")],
)
def test_a_length_of_time_is_its_two_largest_units(seconds, text):
    assert duration(seconds) == text


def test_the_progress_bar_leaves_redirected_results_alone(monkeypatch, capsys):
    from sqswarm.infra.cli.output import print_json_line
    from sqswarm.infra.cli.progress import Bar

    monkeypatch.setattr(sys.stderr, "isatty", lambda: True)
    with Bar("going", total=1, hidden=False) as bar:
        print_json_line({"index": 0})
        bar.advance("going")
    assert capsys.readouterr().out == '{"index": 0}\n'
