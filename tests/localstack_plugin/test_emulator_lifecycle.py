"""Emulators come up, stand side by side, go down and leave nothing behind."""

import contextlib
import http.client
import http.server
import json
import os
import signal
import subprocess
import sys
import threading

import psutil
import pytest

from sqswarm.infra.local import (
    EmulatorError,
    commands,
    current,
    down,
    is_healthy,
    reset,
    status,
    up,
)
from sqswarm.infra.local.emulator import Emulator
from sqswarm.infra.local.health import request
from sqswarm.infra.local.home import current_path, run_dir, write_atomically
from sqswarm.infra.local.processes import is_alive, members

from .conftest import Cloud, free_port, wait_for

pytestmark = pytest.mark.localstack


@pytest.fixture(scope="module")
def second_port(sqswarm_home):
    port = free_port()
    yield port
    down(port=port)


@pytest.fixture
def another(emulator, second_port):
    """A second emulator beside the one of the session; started anew where a test ended it."""
    return up(emulator=emulator.kind, port=second_port)


def test_up_returns_the_emulator_that_already_runs(emulator):
    assert up(emulator=emulator.kind, port=emulator.port) == emulator
    assert current() == emulator
    assert emulator in status()
    record = json.loads(current_path().read_text())
    assert record["endpoint_url"] == emulator.endpoint_url
    assert record["pid"] == emulator.pid
    assert {"port", "create_time", "kind"} <= record.keys()


def test_it_listens_on_the_loopback_interface_only(emulator):
    connections = psutil.Process(emulator.pid).net_connections("tcp")
    listening = {c.laddr.ip for c in connections if c.status == psutil.CONN_LISTEN}
    assert listening == {"127.0.0.1"}


def test_reset_forgets_everything_and_the_emulator_goes_on(another):
    second = Cloud(another)
    url, arn = second.queue()
    function = second.function("def handler(e, c): return 1")
    second.connect(arn, function)
    second.send(url, "x")
    second.table()
    second.s3.create_bucket(Bucket="bucket")
    second.s3.put_object(Bucket="bucket", Key="k", Body=b"v")
    second.sns.create_topic(Name="topic")
    reset(another.port)
    assert not second.sqs.list_queues().get("QueueUrls")
    assert not second.dynamodb.list_tables()["TableNames"]
    assert not second.s3.list_buckets()["Buckets"]
    assert not second.sns.list_topics()["Topics"]
    assert not second.lambda_.list_functions()["Functions"]
    assert not second.lambda_.list_event_source_mappings()["EventSourceMappings"]
    assert second.invoke(second.function("def handler(e, c): return 2")).payload == 2


def test_two_emulators_share_nothing(emulator, another, cloud):
    second = Cloud(another)
    name = "only-there"
    second.sqs.create_queue(QueueName=name)
    table = second.table()
    for each, body in ((cloud, b"first"), (second, b"second")):
        each.s3.create_bucket(Bucket="shared-name")
        each.s3.put_object(Bucket="shared-name", Key="k", Body=body)
    second.s3.delete_object(Bucket="shared-name", Key="k")
    second.s3.delete_bucket(Bucket="shared-name")
    assert cloud.s3.get_object(Bucket="shared-name", Key="k")["Body"].read() == b"first"
    function = second.function(
        "import os\ndef handler(e, c): return os.environ['AWS_ENDPOINT_URL']"
    )
    assert second.invoke(function).payload == another.endpoint_url
    assert not cloud.sqs.list_queues(QueueNamePrefix=name).get("QueueUrls")
    assert table not in cloud.dynamodb.list_tables()["TableNames"]
    assert current() == another
    assert down(port=another.port) == [another]
    assert current() == emulator


def runs(pid):
    """Whether a process runs; one that ended counts as gone even where nobody reaps orphans."""
    try:
        return psutil.Process(pid).status() != psutil.STATUS_ZOMBIE
    except psutil.NoSuchProcess:
        return False


def test_a_killed_emulator_leaves_no_process_behind(another):
    second = Cloud(another)
    function = second.function(
        "import os, subprocess\n"
        "def handler(e, c): return [os.getpid(), subprocess.Popen(['sleep', '600']).pid]"
    )
    left = second.invoke(function).payload
    os.kill(another.pid, signal.SIGKILL)
    wait_for(lambda: not is_alive(another))
    assert another not in status()
    if another.kind == "localstack":  # ministack's workers outlive it until `down`
        wait_for(lambda: not any(runs(pid) for pid in left))
    assert down(port=another.port) == []
    assert members(run_dir(another.port)) == []


def test_a_crashed_emulator_is_started_anew(emulator, another):
    os.kill(another.pid, signal.SIGKILL)
    wait_for(lambda: not is_alive(another))
    again = up(emulator=emulator.kind, port=another.port)
    assert again.pid != another.pid
    assert is_healthy(again)


def test_a_recycled_pid_is_not_taken_for_the_emulator(sqswarm_home):
    port = free_port()
    stranger = Emulator(
        kind="localstack",
        port=port,
        endpoint_url=f"http://127.0.0.1:{port}",
        pid=os.getpid(),
        log_path=run_dir(port) / "emulator.log",
        started_at=1.0,
        access_key_id="LKIA",
    )
    write_atomically(run_dir(port) / "emulator.json", stranger.dump())
    assert status(port) == []
    assert down(port=port) == []
    assert psutil.pid_exists(os.getpid())


@pytest.mark.parametrize("text", ["", "{", '{"kind": "localstack"}', "[]"])
def test_a_half_written_record_is_ignored(sqswarm_home, text):
    port = free_port()
    write_atomically(run_dir(port) / "emulator.json", text)
    assert status(port) == []


def test_two_processes_that_bring_it_up_at_once_get_the_same(sqswarm_home, kind):
    port = free_port()
    script = f"from sqswarm.infra.local import up; print(up(emulator={kind!r}, port={port}).pid)"
    started = [
        subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
        for _ in range(2)
    ]
    pids = {process.communicate()[0] for process in started}
    assert len(pids) == 1
    assert len(down(port=port)) == 1


def test_a_port_that_someone_else_holds_is_a_clear_error(sqswarm_home, kind):
    with http.server.ThreadingHTTPServer(
        ("127.0.0.1", 0), http.server.BaseHTTPRequestHandler
    ) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        with pytest.raises(EmulatorError, match=f"pid {os.getpid()}") as refused:
            up(emulator=kind, port=server.server_port)
        server.shutdown()
    assert "--port" in refused.value.hint


def test_another_kind_on_the_same_port_is_a_clear_error(emulator):
    other = "ministack" if emulator.kind == "localstack" else "localstack"
    with pytest.raises(EmulatorError, match=f"in use by {emulator.kind}"):
        up(emulator=other, port=emulator.port)


def test_docker_without_an_engine_is_a_clear_error(sqswarm_home, monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(EmulatorError, match="docker is not installed") as refused:
        up(emulator="docker", port=free_port())
    assert "--emulator localstack" in refused.value.hint


def test_an_emulator_that_does_not_start_shows_the_end_of_its_log(sqswarm_home, monkeypatch):
    port = free_port()
    monkeypatch.setitem(commands._MODULES, "ministack", "no_luck_today")
    with pytest.raises(EmulatorError, match="No module named no_luck_today") as failed:
        up(emulator="ministack", port=port)
    assert "emulator.log" in failed.value.hint
    assert status(port) == []


def test_an_interrupted_installation_is_recognised_and_made_again(
    sqswarm_home, monkeypatch, tmp_path
):
    monkeypatch.setattr("sqswarm.infra.local.environment.venvs_dir", lambda: tmp_path)
    made = []

    def install(_kind, folder, _progress):
        made.append(folder)
        (folder / "bin").mkdir(parents=True)
        if len(made) == 1:
            raise KeyboardInterrupt

    monkeypatch.setattr("sqswarm.infra.local.environment._install", install)
    from sqswarm.infra.local.environment import environment_python

    told = []
    with contextlib.suppress(KeyboardInterrupt):
        environment_python("ministack", told.append)
    python = environment_python("ministack", told.append)
    assert len(made) == 2
    assert any("interrupted" in line for line in told)
    assert environment_python("ministack", told.append) == python
    assert len(made) == 2


def test_a_failed_installation_shows_what_pip_said(sqswarm_home, monkeypatch, tmp_path):
    monkeypatch.setattr("sqswarm.infra.local.environment.venvs_dir", lambda: tmp_path)
    say = "print('no matching distribution'); raise SystemExit(1)"
    commands = [("installing", [sys.executable, "-c", say])]
    monkeypatch.setattr("sqswarm.infra.local.environment.find_uv", lambda: None)
    monkeypatch.setattr("sqswarm.infra.local.environment._pip_commands", lambda *_: commands)
    with pytest.raises(EmulatorError, match="no matching distribution"):
        up(emulator="ministack", port=free_port())


def test_reset_without_an_emulator_is_a_clear_error(sqswarm_home):
    with pytest.raises(EmulatorError, match="no emulator answers"):
        reset(free_port())


def test_the_health_report_names_the_services(emulator):
    if emulator.kind == "localstack":
        code, body = request(emulator.port, "GET", "/_localstack/health")
        assert code == http.client.OK
        assert json.loads(body)["services"]["dynamodb"] in {"available", "running"}


def test_services_load_before_they_are_used(another):
    if another.kind != "localstack":
        pytest.skip("ministack has nothing to load")

    def states():
        return json.loads(request(another.port, "GET", "/_localstack/health")[1])["services"]

    needed = {"cloudformation", "cloudwatch", "dynamodb", "events", "iam", "lambda", "s3", "sns"}
    wait_for(lambda: all(states()[name] == "running" for name in needed), timeout_s=60)


def test_the_index_of_services_is_made_once_for_all_emulators(emulator, another, cloud):
    if emulator.kind != "localstack":
        pytest.skip("ministack has no index")
    cloud.sts.get_caller_identity()
    down(port=another.port)
    again = up(emulator=another.kind, port=another.port)
    Cloud(again).sts.get_caller_identity()
    assert not list((run_dir(again.port) / "data").rglob("service-catalog-*"))


_COMPARE_REGIONS = """
from sqswarm_localstack.lock_annotations import allow_lock_annotations
allow_lock_annotations()
from sqswarm_localstack import first_use, settings
from localstack.services import stores
stock = stores.get_valid_regions_for_service
first_use.know_regions_without_sessions()
ours = stores.get_valid_regions_for_service
assert ours is not stock
for name in settings.SERVICES.split(","):
    assert sorted(ours(name)) == sorted(stock(name)), name
print(len(ours("sqs")))
"""


def in_the_emulators_python(emulator, script):
    """What a script prints where LocalStack and its plugin are installed."""
    if emulator.kind != "localstack":
        pytest.skip("ministack has neither")
    python = psutil.Process(emulator.pid).cmdline()[0]
    done = subprocess.run([python, "-c", script], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_every_service_has_the_regions_that_boto3_knows(emulator):
    assert int(in_the_emulators_python(emulator, _COMPARE_REGIONS)) > 20


_KILL_AND_CLOSE_AT_ONCE = """
import os, sys, tempfile, threading, time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from sqswarm_localstack.sandbox import Sandbox
folder = Path(tempfile.mkdtemp())
sandbox = Sandbox(python=sys.executable, handler="none.handler", cwd=folder, environ={},
                  log_path=folder / "log")
real_close, closed = os.close, []
def slow_close(number):
    time.sleep(0.3)
    closed.append(number)
    real_close(number)
os.close = slow_close
with ThreadPoolExecutor(4) as pool:
    ends = [sandbox.stop, sandbox.close, sandbox.close, sandbox.stop]
    for each in [pool.submit(end) for end in ends]:
        each.result()
assert len(closed) == len(set(closed)), closed
print(len(closed))
"""


def test_a_process_killed_by_a_reset_while_its_invocation_ends_it_is_closed_once(emulator):
    assert int(in_the_emulators_python(emulator, _KILL_AND_CLOSE_AT_ONCE)) >= 1
