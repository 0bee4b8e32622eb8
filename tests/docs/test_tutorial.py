"""The tutorial, followed to the letter: its files are saved, its commands typed, its lines read."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest
from documented import blocks, shows

from sqswarm.infra.local.home import venvs_dir
from sqswarm.infra.local.isolated import foreign_variables, free_port

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "docs" / "tutorial.md"
PATIENCE_S = 120
TASK_ID = re.compile(r"\b[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}\b")

MARKS = re.compile(
    r"run|run again until it prints|run, and it fails|prints|not run: .+|(file|edit): \S+"
    r"|first terminal|first terminal prints"
)


def test_every_block_is_followed_or_says_why_not():
    for block in blocks(TUTORIAL):
        assert MARKS.fullmatch(block.mark), block


class FirstTerminal:
    """Where `sqswarm dev` runs."""

    def __init__(self, command, folder, environment):
        self.printed = ""
        self._read_to = 0
        self._process = subprocess.Popen(
            ["bash", "-c", f"exec {command}"],
            cwd=folder,
            env=environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
        )
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self):
        for line in self._process.stdout:
            self.printed += line

    def wait_for(self, expected):
        ends = time.monotonic() + PATIENCE_S
        while (end := shows(self.printed[self._read_to :], expected)) is None:
            assert time.monotonic() < ends, f"not shown:\n{expected}\nin:\n{self.printed}"
            assert self._process.poll() is None, self.printed
            time.sleep(0.2)
        self._read_to += end

    def end(self):
        if self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
        self._process.wait(60)
        self._reader.join(10)
        self._process.stdout.close()
        return self._process.returncode


class Reader:
    """Somebody with two terminals, an editor, and this page."""

    def __init__(self, folder, environment, kind):
        self.folder, self.environment, self.kind = folder, environment, kind
        self.first = None
        self.printed = ""
        self.task_id = ""

    def follow(self, steps):
        for step, after in zip(steps, [*steps[1:], None], strict=True):
            shown = after.text if after is not None and after.mark == "prints" else ""
            match step.mark.partition(": ")[0]:
                case "file":
                    file = self.folder / step.about
                    file.parent.mkdir(exist_ok=True)
                    file.write_text(step.text)
                case "edit":
                    self.edit(self.folder / step.about, step.text)
                case "first terminal":
                    command = f"{step.text.strip()} --emulator {self.kind} --port {free_port()}"
                    self.first = FirstTerminal(command, self.folder, self.environment)
                case "first terminal prints":
                    self.first.wait_for(step.text)
                case "run again until it prints":
                    self.run_until(step.text, shown)
                case "run" | "run, and it fails" as how:
                    assert (self.run(step.text) != 0) is (how != "run"), self.printed
                    assert shows(self.printed, shown) is not None, f"{shown}\n{self.printed}"

    def edit(self, file, lines):
        text = file.read_text()
        for line in lines.splitlines():
            begins = re.compile(rf"^{re.escape(line.partition('=')[0])}=.*$", re.MULTILINE)
            text, times = begins.subn(lambda _, new=line: new, text)
            assert times == 1, line
        file.write_text(text)

    def run_until(self, script, shown):
        ends = time.monotonic() + PATIENCE_S
        while self.run(script) != 0 or shows(self.printed, shown) is None:
            assert time.monotonic() < ends, f"{shown}\n{self.printed}"
            time.sleep(0.5)

    def run(self, script):
        where = self.folder.parent / "where"
        typed = script.replace("TASK_ID", self.task_id)
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", f"trap 'pwd > {where}' EXIT\n{typed}"],
            cwd=self.folder,
            env=self.environment,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=PATIENCE_S * 2,
            check=False,
        )
        self.printed = done.stdout
        self.folder = Path(where.read_text().strip())
        if found := TASK_ID.search(done.stdout):
            self.task_id = found[0]
        return done.returncode


@pytest.fixture
def reader(request, tmp_path):
    """Somebody without an AWS, in a home that shares only the installed environments."""
    home, folder = tmp_path / "home", tmp_path / "work"
    home.mkdir()
    folder.mkdir()
    (home / "venvs").symlink_to(venvs_dir(), target_is_directory=True)
    kind = request.config.getoption("--emulator")
    environment = {
        **{n: v for n, v in os.environ.items() if n not in foreign_variables(os.environ)},
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "SQSWARM_HOME": str(home),
        "PYTEST_ADDOPTS": f"--sqswarm-emulator {kind} -p no:cacheprovider",
    }
    somebody = Reader(folder, environment, kind)
    try:
        yield somebody
    finally:
        if somebody.first is not None:
            somebody.first.end()
        somebody.run("sqswarm down --all")


@pytest.mark.proof
@pytest.mark.localstack
def test_a_reader_who_follows_it_literally_arrives(reader):
    reader.follow(blocks(TUTORIAL))
    assert (reader.folder / "pay_all.py").exists()
    assert reader.first.end() == 0
