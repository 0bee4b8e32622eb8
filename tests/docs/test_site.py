"""The site, as `make docs` builds it: strict, whole, and without anything from elsewhere."""

import inspect
import re
import subprocess
import sys
import threading
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from sqswarm import AsyncSwarm, AsyncTask, Swarm, Task, TaskContext
from sqswarm.infra.cli.app import VERBS

ROOT = Path(__file__).parents[2]
CHROMIUM = Path("/usr/bin/chromium")
pytestmark = pytest.mark.proof  # `make docs` builds it too, on every change


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(folder)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert built.returncode == 0, built.stderr
    return folder


def pages(site):
    return [page for page in site.rglob("*.html") if page.name != "404.html"]


def test_no_page_loads_anything_from_elsewhere(site):
    loaded = re.compile(
        r'<(?:script|img|iframe|source)[^>]+src="?(https?:[^" >]+)'
        r'|<link(?![^>]+rel="?canonical)[^>]+href="?(https?:[^" >]+)'
    )
    assert len(pages(site)) > 50
    for page in pages(site):
        assert not loaded.findall(page.read_text()), page
    for sheet in site.rglob("*.css"):
        assert not re.findall(r"url\(['\"]?https?:|@import", sheet.read_text()), sheet


def test_what_is_made_from_code_is_there(site):
    cli = (site / "reference" / "cli.html").read_text()
    assert all(f"sqswarm {verb}</code>" in cli for listed in VERBS.values() for verb in listed)
    assert "<code>WorkerLost</code>" in (site / "reference" / "errors.html").read_text()
    python = (site / "reference" / "python.html").read_text()
    shown = set(re.findall(r'id="sqswarm\.([\w.]+)"', python))
    for one in (Swarm, AsyncSwarm, Task, AsyncTask, TaskContext):
        kinds = {name: inspect.getattr_static(one, name) for name in dir(one) if name[0] != "_"}
        public = {n for n, kind in kinds.items() if callable(kind) or isinstance(kind, property)}
        assert {f"{one.__name__}.{name}" for name in public} <= shown
    assert not [page for page in pages(site) if "<!-- generated:" in page.read_text()]


def test_llms_txt_lists_every_page_with_its_markdown(site):
    text = (site / "llms.txt").read_text()
    assert text.startswith("# sqswarm\n\n> ")
    linked = re.findall(r"^- \[.+?\]\((\S+)\): \S", text, re.MULTILINE)
    assert {site / page for page in linked} == {page.with_suffix(".md") for page in pages(site)}
    assert all((site / page).read_text().startswith("# ") for page in linked)
    python = (site / "reference" / "python.md").read_text()
    assert "async TaskContext.ask(self, key: 'str'" in python
    assert ":::" not in python
    assert "### `sqswarm submit`" in (site / "llms-full.txt").read_text()


@pytest.fixture
def served(site):
    class Quiet(SimpleHTTPRequestHandler):
        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(Quiet, directory=str(site)))
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


@pytest.mark.skipif(not CHROMIUM.exists(), reason="needs /usr/bin/chromium")
@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [390, 1360])
def test_a_browser_finds_everything_here(served, scheme, width):
    from playwright.sync_api import sync_playwright

    with sync_playwright() as play:
        browser = play.chromium.launch(executable_path=CHROMIUM, args=["--no-sandbox"])
        page = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
        elsewhere, broken = [], []
        page.on("request", lambda r: served in r.url or elsewhere.append(r.url))
        page.on("pageerror", lambda error: broken.append(str(error)))
        page.on("response", lambda r: r.status < 400 or broken.append(r.url))
        for name in ("index", "tutorial", "concepts/life_of_a_task", "reference/cli", "settings"):
            page.goto(f"{served}/{name}.html")
            wider = "document.documentElement.scrollWidth > document.documentElement.clientWidth"
            assert not page.evaluate(wider), name
        page.goto(f"{served}/concepts/index.html")
        page.wait_for_selector("div.mermaid", timeout=30_000)  # drawn: before it is a pre
        page.goto(f"{served}/index.html")
        page.keyboard.press("/")
        page.locator("input.md-search__input").press_sequentially("redrive", delay=20)
        page.wait_for_selector(".md-search-result__item a", timeout=30_000)
        browser.close()
    assert not [url for url in elsewhere if not url.startswith(("data:", "blob:"))]
    assert not broken
