"""One deployed swarm, the console beside it as `sqswarm ui` starts it, and chromium."""

import json
import os
import re
import signal
import subprocess
import sys
import time
from contextlib import contextmanager
from pathlib import Path

import pytest

CHROMIUM = Path(os.environ.get("CHROMIUM", "/usr/bin/chromium"))
SWARM = Path(__file__).parents[1] / "console" / "console_swarm"
WIDE = {"width": 1280, "height": 800}
NARROW = {"width": 390, "height": 844}


@pytest.fixture(scope="session")
def deployed(emulator):
    """The agents of console_swarm, on the session's emulator."""
    from sqswarm.backends.aws.connect import settings_from_environment
    from sqswarm.infra.deploy import Reports, deploy
    from sqswarm.infra.plan import plan
    from sqswarm.infra.project import find_project

    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(SWARM))
        settings = settings_from_environment()
        deploy(settings, plan(find_project(SWARM), stage="dev"), Reports())
        yield emulator


@pytest.fixture(scope="session")
def swarm(deployed):
    from sqswarm import Swarm

    with Swarm.connect(operator=True) as connected:
        yield connected


class Console:
    """A running `sqswarm ui`. `log` is the file of what it said on stderr."""

    def __init__(self, process, url, log, took_s):
        self.process, self.url, self.log, self.took_s = process, url, log, took_s
        self.base, _, self.token = url.partition("/?token=")

    def acts(self):
        """Return the acts that it logged."""
        lines = [line for line in self.log.read_text().splitlines() if line.startswith("{")]
        return [one for line in lines if (one := json.loads(line))["event"].startswith("console.")]


@contextmanager
def running_console(folder, *options):
    """Start `sqswarm ui` and stop it as Ctrl-C does."""
    log = folder / "console.log"
    began = time.monotonic()
    with log.open("w") as errors:
        process = subprocess.Popen(
            [Path(sys.executable).parent / "sqswarm", "ui", "--no-open", "--port", "0", *options],
            stdout=subprocess.PIPE,
            stderr=errors,
            text=True,
            cwd=folder,
            env={n: v for n, v in os.environ.items() if not n.startswith(("PYTEST_", "NICEGUI_"))},
        )
    try:
        url = process.stdout.readline().strip()
        assert re.fullmatch(r"http://127\.0\.0\.1:\d+/\?token=\S{40,}", url), log.read_text()
        yield Console(process, url, log, time.monotonic() - began)
    finally:
        process.send_signal(signal.SIGINT)
        try:
            process.wait(60)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            raise
        finally:
            process.stdout.close()


@pytest.fixture(scope="session")
def console(deployed, tmp_path_factory):
    with running_console(tmp_path_factory.mktemp("console")) as running:
        yield running


@pytest.fixture(scope="module")
def chromium():
    """The system's chromium, which resolves no name: it can reach this machine and nothing else.

    Of the module: while Playwright's event loop lives, no async test can have one.
    """
    if not CHROMIUM.exists():
        pytest.skip(f"there is no {CHROMIUM}: apt-get install chromium, or set CHROMIUM")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=str(CHROMIUM),
            args=["--no-sandbox", "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"],
        )
        yield browser
        browser.close()


class Browser:
    """One browser with cookies of its own, and what went wrong in it."""

    def __init__(self, chromium, console, *, dark=False, viewport=WIDE):
        self.console = console
        self.faults = []
        self.foreign = []
        self._context = chromium.new_context(
            color_scheme="dark" if dark else "light", viewport=viewport
        )
        self._context.set_default_timeout(60_000)  # a loaded machine is slow
        self.page = self._context.new_page()
        self.page.on("pageerror", lambda error: self.faults.append(str(error)))
        self.page.on("console", lambda said: said.type == "error" and self.faults.append(said.text))
        self.page.on("request", self._asked)

    def _asked(self, request):
        if not request.url.startswith((self.console.base, "data:", "blob:")):
            self.foreign.append(request.url)

    def open(self, path="/"):
        """Open a page of the console, with its token the first time."""
        joint = "&" if "?" in path else "?"
        new = self.page.url == "about:blank"
        token = f"{joint}token={self.console.token}" if new else ""
        self.page.goto(f"{self.console.base}{path}{token}")
        self.page.locator("h1").wait_for()
        return self.page

    def close(self):
        self._context.close()
        assert not self.faults, self.faults
        assert not self.foreign, self.foreign


@pytest.fixture
def browse(chromium, console):
    """Open browsers; at the end none has had an error or asked for anything elsewhere."""
    opened = []

    def open_one(at=None, **options):
        opened.append(Browser(chromium, at or console, **options))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


def violations(page, *, without=None):
    """Return what axe finds wrong with a page, briefly; `without` names a rule to leave out."""
    from axe_playwright_python.sync_playwright import Axe

    options = {"rules": {without: {"enabled": False}}} if without else None
    found = Axe().run(page, options=options).response["violations"]
    return [(one["id"], [node["html"] for node in one["nodes"]]) for one in found]
