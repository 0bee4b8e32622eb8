"""The console's frame in a real browser: theme, keyboard, navigation, what is live."""

import re
import signal

import pytest
from console_stage import NARROW, running_console, violations

pytestmark = pytest.mark.localstack


def test_a_failed_task_is_found_by_its_agent_and_shown_as_text(browse, swarm):
    task = swarm.submit("refuse")
    next(iter(swarm.wait([task], timeout=60)))
    page = browse().open("/tasks?status=failed&agent=refuse")
    row = page.get_by_role("row").filter(has=page.locator(f"a[href='/tasks/{task.id}']"))
    row.wait_for()
    assert "<img src=x" in row.inner_text()
    assert "⟨U+202E⟩txt.exe⟨U+202C⟩" in row.inner_text()
    assert "⟨U+001B⟩[31m" in row.inner_text()
    assert "{{7*7}}" in row.inner_text()
    assert page.evaluate("window.hacked") is None


def test_filters_are_in_the_url_and_combine(browse, swarm):
    page = browse().open("/tasks")
    page.get_by_label("Status").click()
    page.get_by_role("option", name="failed").click()
    page.wait_for_url("**/tasks?status=failed")
    page.get_by_role("combobox", name="Agent").click()
    page.get_by_role("option", name="refuse").click()
    page.wait_for_url("**/tasks?status=failed&agent=refuse")
    page.reload()
    assert page.get_by_role("combobox", name="Agent").input_value() == "refuse"


def test_the_keyboard_goes_everywhere(browse):
    page = browse().open("/")
    page.keyboard.press("g")
    page.keyboard.press("a")
    page.wait_for_url("**/agents")
    page.keyboard.press("/")
    search = page.get_by_label("Find a task or an agent")
    page.wait_for_function("document.activeElement.getAttribute('aria-label')?.startsWith('Find')")
    search.type("summarise")
    page.keyboard.press("Enter")
    page.wait_for_url("**/agents/summarise")
    page.get_by_text("Say in a few sentences").wait_for()
    page.locator("h1").click()
    page.keyboard.press("?")
    page.get_by_role("dialog").get_by_text("next row").wait_for()


@pytest.mark.proof
def test_rows_are_gone_through_and_opened_by_the_keyboard(browse, swarm):
    task = swarm.submit("summarise", text="One. Two.")
    next(iter(swarm.wait([task], timeout=60)))
    page = browse().open("/tasks?agent=summarise")
    page.locator(f"a[href='/tasks/{task.id}']").wait_for()
    page.keyboard.press("j")
    page.locator("tr.sq-at").wait_for()
    href = page.locator("tr.sq-at a").get_attribute("href")
    page.keyboard.press("Enter")
    page.wait_for_url(f"**{href}")


@pytest.mark.proof
def test_the_theme_is_the_systems_until_one_is_chosen_and_then_kept(browse):
    browser = browse(dark=True)
    page = browser.open("/agents")
    dark = "document.body.classList.contains('body--dark')"
    page.wait_for_function(dark)
    page.get_by_label("Theme: system").click()
    page.get_by_label("Theme: dark").click()
    page.wait_for_function(f"!{dark}")
    browser.open("/tasks")
    page.wait_for_function(f"!{dark}")
    other = browse(dark=True).open("/agents")
    other.wait_for_function(dark)


def test_a_hidden_tab_asks_for_nothing(browse):
    page = browse().open("/tasks")
    page.get_by_text("live").wait_for()
    hide = (
        "Object.defineProperty(document, 'hidden', {value: %s, configurable: true});"
        "document.dispatchEvent(new Event('visibilitychange'))"
    )
    page.evaluate(hide % "true")
    page.get_by_text("paused").wait_for()
    page.evaluate(hide % "false")
    page.get_by_text("live").wait_for()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_axe_finds_nothing(browse, dark):
    page = browse(dark=dark).open("/tasks")
    page.wait_for_timeout(300)
    assert violations(page) == []


@pytest.mark.proof
def test_a_narrow_screen_has_the_navigation_behind_a_button(browse):
    page = browse(viewport=NARROW).open("/tasks")
    link = page.get_by_role("navigation").get_by_role("link", name=re.compile("Agents"))
    assert not link.is_visible()
    page.get_by_label("Show or hide the navigation").click()
    link.click()
    page.wait_for_url("**/agents")
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]


@pytest.mark.proof
def test_ctrl_c_stops_it_at_once_and_without_complaint(browse, deployed, tmp_path):
    with running_console(tmp_path) as console:
        page = browse(console).open("/tasks")
        page.get_by_text("live").wait_for()
        browser = page.context
        browser.close()
        console.process.send_signal(signal.SIGINT)
        assert console.process.wait(10) == 0
    assert "Traceback" not in console.log.read_text()
