"""Every page: what axe finds, what it is like to only read, two browsers, no emulator."""

import re
from contextlib import suppress

import pytest
from console_stage import NARROW, running_console, violations
from playwright.sync_api import TimeoutError  # noqa: A004 - what its waits raise

from sqswarm.infra.console.pages import PAGES

pytestmark = [pytest.mark.localstack, pytest.mark.proof]

PATHS = [page.path for page in PAGES if "{" not in page.path]


@pytest.fixture(scope="module")
def tasks(swarm):
    """A task of each kind, by what it is."""
    made = {
        "completed": swarm.submit("summarise", text="One. Two."),
        "failed": swarm.submit("refuse"),
        "retried": swarm.submit("flaky"),
    }
    list(swarm.wait(made.values(), timeout=120))
    asking = swarm.submit("report", topic="bees")
    while swarm.get(asking.id).status != "input_required":
        pass
    return {**{name: task.id for name, task in made.items()}, "asking": asking.id}


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("viewport", [None, NARROW], ids=["wide", "narrow"])
def test_axe_finds_nothing_on_any_page(browse, tasks, dark, viewport):
    browser = browse(dark=dark, **({"viewport": viewport} if viewport else {}))
    paths = [*PATHS, *(f"/tasks/{task_id}" for task_id in tasks.values()), "/agents/report"]
    found = {}
    for path in paths:
        page = browser.open(path)
        page.locator("[aria-label=Loading]").first.wait_for(state="detached")
        page.wait_for_timeout(500)
        if wrong := violations(page):
            found[path] = wrong
        width = page.evaluate("document.documentElement.scrollWidth")
        if viewport and width > viewport["width"]:
            found[path, "width"] = width
    assert found == {}


def test_a_dialog_and_a_form_are_as_accessible(browse, tasks):
    page = browse().open(f"/tasks/{tasks['failed']}")
    page.get_by_role("button", name="Run again…").click()
    page.get_by_role("dialog").wait_for()
    # axe takes the backdrop for the ground of a button; its colours are those of any page's.
    assert violations(page, without="color-contrast") == []


def test_two_browsers_see_the_same_and_keep_their_own(browse, swarm):
    task = swarm.submit("report", topic="two", sections=1)
    one, other = browse().open(f"/tasks/{task.id}"), browse(dark=True).open(f"/tasks/{task.id}")
    for page in (one, other):
        page.get_by_text("Publish the report on two?").first.wait_for()
    one.get_by_label("approved").click()
    one.get_by_role("option", name="yes").click()
    one.get_by_role("button", name="Answer").click()
    for page in (one, other):
        page.get_by_text("completed", exact=True).first.wait_for()
    dark = "document.body.classList.contains('body--dark')"
    assert [page.evaluate(dark) for page in (one, other)] == [False, True]


def test_where_it_only_reads_there_is_nothing_to_press(browse, tasks, tmp_path):
    with running_console(tmp_path, "--read-only") as console:
        browser = browse(console)
        page = browser.open(f"/tasks/{tasks['failed']}")
        page.get_by_text("Read-only").wait_for()
        page.get_by_text("not this").first.wait_for()
        assert page.get_by_role("button", name="Run again…").count() == 0
        browser.open(f"/tasks/{tasks['asking']}")
        page.get_by_text("Publish the report on bees?").first.wait_for()
        assert page.get_by_role("button", name="Answer").count() == 0
        assert page.get_by_role("button", name="Cancel…").count() == 0
        browser.open("/submit")
        page.get_by_text("This console only reads.").wait_for()
        assert console.acts() == []
        browser.close()  # before its server: what it then misses is no fault


def test_log_lines_of_a_task_are_read_when_asked_for(browse, swarm):
    task = swarm.submit("summarise", text="To be logged.")
    list(swarm.wait([task], timeout=60))
    page = browse().open(f"/tasks/{task.id}")
    line = page.get_by_text(re.compile(r"text\.summarised .*characters=13"))
    for _ in range(60):  # CloudWatch Logs has them a moment later
        page.get_by_role("button", name="Read them").click()
        with suppress(TimeoutError):
            line.wait_for(timeout=2000)
            return
    line.wait_for()


def test_what_cannot_be_reached_is_said_with_what_to_do(browse, tmp_path, monkeypatch, deployed):
    monkeypatch.setenv("SQSWARM_STAGE", "nothere")
    with running_console(tmp_path) as console:
        browser = browse(console)
        page = browser.open("/tasks")
        page.get_by_role("alert").get_by_text("sqswarm deploy").wait_for()
        page.get_by_role("button", name="Try again").click()
        page.get_by_role("alert").get_by_text("sqswarm deploy").wait_for()
        assert violations(page) == []
        browser.close()
