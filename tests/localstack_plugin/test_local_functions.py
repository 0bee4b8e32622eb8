"""Functions run as processes on AWS's runtime interface client, and end as on AWS."""

import io
import itertools
import os
import signal
import urllib.request
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import psutil
import pytest

from .conftest import archive, wait_for

pytestmark = pytest.mark.localstack

CODE = """
import os, subprocess, sys, time
print("imported")

def handler(event, context):
    print("out", event)
    print("err", file=sys.stderr)
    match event.get("do"):
        case "raise": raise ValueError("boo")
        case "sleep":
            child = subprocess.Popen(["sleep", "60"])
            open(event["note"], "w").write(f"{os.getpid()} {child.pid}")
            time.sleep(event["s"])
        case "kill": os.kill(os.getpid(), 9)
        case "exit": sys.exit(3)
        case "big": return "x" * event["n"]
        case "env": return dict(os.environ)
        case "import":
            import boto3, pydantic
            return boto3.client("sts").get_caller_identity()["Account"]
    return {"pid": os.getpid(), "left": context.get_remaining_time_in_millis()}
"""


@pytest.fixture(scope="module")
def function(cloud):
    return cloud.function(CODE, timeout=60, COLOUR="blue")


def test_a_warm_environment_is_used_again(cloud, function):
    first, second = cloud.invoke(function), cloud.invoke(function)
    assert first.payload["pid"] == second.payload["pid"]
    assert 1000 < second.payload["left"] <= 60_000


def test_concurrent_invocations_get_environments_of_their_own(cloud, notes):
    """Each waits until it has seen the others."""
    code = (
        "import os, pathlib, time\n"
        "def handler(folder, c):\n"
        "    (pathlib.Path(folder) / str(os.getpid())).touch()\n"
        "    while len(os.listdir(folder)) < 4: time.sleep(0.01)\n"
        "    return os.getpid()"
    )
    name = cloud.function(code, timeout=60)
    with ThreadPoolExecutor(4) as pool:
        pids = {reply.payload for reply in pool.map(cloud.invoke, [name] * 4, [str(notes)] * 4)}
    assert len(pids) == 4


def test_the_function_sees_lambdas_variables_and_the_projects_packages(cloud, function, emulator):
    env = cloud.invoke(function, {"do": "env"}).payload
    assert env["AWS_LAMBDA_FUNCTION_NAME"] == function
    assert env["AWS_REGION"] == "us-east-1"
    assert env["AWS_ENDPOINT_URL"] == emulator.endpoint_url
    assert env["COLOUR"] == "blue"
    assert "PYTHONDONTWRITEBYTECODE" not in env
    assert cloud.invoke(function, {"do": "import"}).payload == "000000000000"


def test_the_hosts_own_variables_stay_outside(cloud, function):
    env = cloud.invoke(function, {"do": "env"}).payload
    assert "PYTEST_CURRENT_TEST" not in env
    assert "VIRTUAL_ENV" not in env


def test_an_exception_is_reported_with_its_type_and_trace(cloud, function, kind):
    reply = cloud.invoke(function, {"do": "raise"})
    assert reply.error == "Unhandled"
    assert reply.payload["errorMessage"] == "boo"
    if kind == "localstack":  # ministack names every error Runtime.HandlerError, without a trace
        assert reply.payload["errorType"] == "ValueError"
        assert "handler" in reply.payload["stackTrace"][0]


def test_a_timeout_kills_the_process_and_what_it_started(cloud, notes, kind):
    function = cloud.function(CODE, timeout=2)
    note = notes / "pids"
    reply = cloud.invoke(function, {"do": "sleep", "s": 30, "note": str(note)})
    assert reply.error == "Unhandled"
    assert "Task timed out after 2.00 seconds" in reply.payload["errorMessage"]
    handler, child = map(int, note.read_text().split())
    wait_for(lambda: not _runs(handler))
    if kind == "localstack":  # ministack leaves the function's own children running
        wait_for(lambda: not _runs(child))
    assert "pid" in cloud.invoke(function).payload


def test_a_killed_process_fails_its_invocation_at_once(cloud, function, kind):
    reply = cloud.invoke(function, {"do": "kill"})
    assert reply.error == "Unhandled"
    if kind == "localstack":
        assert reply.payload["errorType"] == "Runtime.ExitError"
        assert reply.payload["errorMessage"].endswith("Runtime exited with error: signal: killed")
    assert "pid" in cloud.invoke(function).payload


def test_a_process_that_died_while_idle_is_replaced_unnoticed(cloud, function):
    pid = cloud.invoke(function).payload["pid"]
    os.kill(pid, signal.SIGKILL)
    wait_for(lambda: not _runs(pid))
    reply = cloud.invoke(function)
    assert reply.error is None
    assert reply.payload["pid"] != pid


def test_an_update_of_the_code_lets_the_running_invocation_finish(cloud, function, notes):
    code = (
        "import os, time\n"
        "def handler(e, c):\n"
        "    if 'begun' in e:\n"
        "        open(e['begun'], 'w').close()\n"
        "        while not os.path.exists(e['go on']): time.sleep(0.01)\n"
        "    return "
    )
    # What it has still to import is there too, whatever was deployed since.
    name = cloud.function(code + "'old' if os.path.exists(__file__) else 'gone'", timeout=60)
    begun, go_on = notes / "begun", notes / "go on"
    with ThreadPoolExecutor(1) as pool:
        running = pool.submit(cloud.invoke, name, {"begun": str(begun), "go on": str(go_on)})
        try:
            wait_for(begun.exists)
            for new in ("newer", "newest"):
                zipped = archive(f"{code}{new!r}")
                cloud.lambda_.update_function_code(FunctionName=name, ZipFile=zipped)
                wait_for(lambda new=new: cloud.invoke(name).payload == new)
        finally:
            go_on.touch()
        assert running.result().payload == "old"


@pytest.mark.usefixtures("localstack_only")  # ministack says 'Worker process died'
def test_an_exit_status_is_reported(cloud, function):
    reply = cloud.invoke(function, {"do": "exit"})
    assert reply.payload["errorType"] == "Runtime.ExitError"
    assert reply.payload["errorMessage"].endswith("exit status 3")


@pytest.mark.usefixtures("localstack_only")  # ministack has its own worker, not AWS's client
@pytest.mark.parametrize(
    ("code", "error_type", "message"),
    [
        pytest.param("import nonesuch", "Runtime.ImportModuleError", "nonesuch", id="import"),
        pytest.param("def handler(:", "Runtime.UserCodeSyntaxError", "Syntax error", id="syntax"),
        pytest.param("x = 1", "Runtime.HandlerNotFound", "handler", id="no-handler"),
        pytest.param("raise SystemExit(7)", "Runtime.ExitError", "exit status 7", id="exit"),
    ],
)
def test_init_errors_are_reported_by_the_invocation(cloud, code, error_type, message):
    reply = cloud.invoke(cloud.function(code))
    assert reply.error == "Unhandled"
    assert reply.payload["errorType"] == error_type
    assert message in reply.payload["errorMessage"]


@pytest.mark.usefixtures("localstack_only")  # ministack does not limit a response
def test_responses_are_limited_to_six_megabytes(cloud, function):
    assert len(cloud.invoke(function, {"do": "big", "n": 5_000_000}).payload) == 5_000_000
    reply = cloud.invoke(function, {"do": "big", "n": 7_000_000})
    assert reply.payload["errorType"] == "Function.ResponseSizeTooLarge"


@pytest.mark.usefixtures("localstack_only")  # ministack logs the output only
def test_output_reaches_cloudwatch_between_start_and_report(cloud, function):
    cloud.invoke(function)  # a first invocation's log tells of the start, too
    tail = cloud.invoke(function, {"marker": "m-17"}).log.splitlines()
    assert [line.split()[0] for line in tail] == ["START", "out", "err", "END", "REPORT"]

    def messages():
        events = cloud.logs.filter_log_events(logGroupName=f"/aws/lambda/{function}")["events"]
        return [event["message"] for event in events if "m-17" in event["message"]]

    assert wait_for(messages) == ["out {'marker': 'm-17'}\n"]


@pytest.mark.usefixtures("localstack_only")  # ministack compiles in each environment
def test_code_is_compiled_when_it_is_deployed(cloud, sqswarm_home):
    name = cloud.function("def handler(e, c): return __file__")
    file = Path(cloud.invoke(name).payload)
    assert sqswarm_home in file.parents
    assert list((file.parent / "__pycache__").glob("main.*.pyc"))


@pytest.mark.usefixtures("localstack_only")  # ministack has no links
def test_functions_with_the_same_archive_share_its_unpacked_code(cloud, sqswarm_home):
    code = "def handler(e, c): import os; return os.path.realpath(__file__)"
    names = [cloud.function(code) for _ in range(3)]
    (file,) = {Path(cloud.invoke(name).payload) for name in names}
    assert sqswarm_home in file.parents
    for name in names[:2]:
        cloud.lambda_.delete_function(FunctionName=name)
    cloud.invoke(cloud.function("def handler(e, c): return 'another'"))
    assert file.exists()
    cloud.lambda_.delete_function(FunctionName=names[2])
    wait_for(lambda: not _linked(file))
    # Its process may take a moment to end, and the archive stays for as long as it runs.
    others = itertools.count()

    def gone() -> bool:
        cloud.invoke(cloud.function(f"def handler(e, c): return {next(others)}"))
        return not file.exists()

    wait_for(gone)


def _linked(file: Path) -> bool:
    links = (link for link in file.parents[2].glob("*/*/code") if link.is_symlink())
    return any(link.readlink() == file.parent for link in links)


@pytest.mark.usefixtures("localstack_only")  # ministack's link leads nowhere
def test_the_link_to_a_functions_code_leads_to_its_archive(cloud):
    names = [cloud.function(f"def handler(e, c): return {n}") for n in range(2)]
    for n, name in enumerate(names):
        link = cloud.lambda_.get_function(FunctionName=name)["Code"]["Location"]
        with urllib.request.urlopen(link) as answer:
            archive = zipfile.ZipFile(io.BytesIO(answer.read()))
        assert archive.read("main.py").decode().endswith(f"return {n}")


def _runs(pid: int) -> bool:
    try:
        process = psutil.Process(pid)
        # A killed process's first thread may be a zombie before its others are gone.
        return process.status() != psutil.STATUS_ZOMBIE or process.num_threads() > 1
    except psutil.NoSuchProcess:
        return False
