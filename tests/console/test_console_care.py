"""The console's pages of care in a real browser: groups, bulk acts, inbox, schedules, cost."""

import pytest
from console_care import HOSTILE_MODEL, fail, spend, until
from console_stage import NARROW, violations

from sqswarm.schemas.lifecycle import Status

pytestmark = pytest.mark.localstack


@pytest.fixture(scope="module")
def cared_for(swarm):
    """Something for each page to show."""
    tasks = fail(swarm, 12)
    spend(swarm)
    for text in ("hello", "<b>again</b>"):
        swarm.submit("chat", text=text, session_id="small-talk").result(timeout=90)
    return tasks


def row(page, *texts):
    found = page.get_by_role("row")
    for text in texts:
        found = found.filter(has_text=text)
    return found


def test_dead_letters_are_grouped_and_a_group_is_run_again(browse, console, swarm, cared_for):
    fail(swarm, 3)
    page = browse().open("/dead-letters")
    mine = row(page, "brittle", "ValueError")
    mine.wait_for()
    assert "<img src=x" in mine.inner_text()
    assert "⟨U+202E⟩" in mine.inner_text()
    number = int(mine.locator("td").nth(2).inner_text())
    page.get_by_label("Run again: brittle, ValueError").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text(f"Run again {number} dead letters of brittle (ValueError)?").wait_for()
    dialog.get_by_role("button", name=f"Run again {number}").click()
    dialog.get_by_text(f"{number} run again").wait_for()
    dialog.get_by_role("button", name="Close").click()
    acts = [one for one in console.acts() if one["event"] == "console.dead-letters.redriven"]
    assert acts[-1]["reason"] == "ValueError"
    assert acts[-1]["outcome"] == "done"
    assert page.evaluate("window.hacked") is None


@pytest.mark.proof
def test_the_letters_of_an_agent_are_shown_whole(browse, cared_for):
    page = browse().open("/dead-letters/brittle?reason=ConnectionError")
    page.get_by_role("heading", name="ConnectionError: connection reset").first.wait_for()
    assert '"method":"tools/call"' in page.get_by_label("Message 1").first.inner_text()


def test_failed_tasks_are_grouped_and_run_again_without_a_reload(browse, swarm, cared_for):
    tasks = fail(swarm, 3)
    page = browse().open("/failures?agent=brittle&since=1")
    mine = row(page, "brittle", "ConnectionError")
    mine.wait_for()
    page.get_by_label("Run again: brittle, ConnectionError").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_role("button", name="Run again").click()
    dialog.get_by_text("run again").first.wait_for()
    dialog.get_by_role("button", name="Close").click()
    assert swarm.get(tasks[1].id).record.redriven_as is not None
    assert swarm.get(tasks[0].id).record.redriven_as is None


@pytest.mark.proof
def test_tasks_that_wait_are_counted_and_cancelled(browse, swarm):
    tasks = [swarm.submit("waiter", table=n, durable=True) for n in range(3)]
    until(lambda: all(task.status() is Status.INPUT_REQUIRED for task in tasks))
    page = browse().open("/failures?agent=waiter")
    page.get_by_role("button", name="Cancel…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_text("Cancel 3 tasks (3 waiter)?").wait_for()
    dialog.get_by_label("How many in a second at most").fill("soon")
    dialog.get_by_role("button", name="Cancel 3").click()
    dialog.get_by_text("A number over 0, or nothing.").wait_for()
    dialog.get_by_label("How many in a second at most").fill("50")
    dialog.get_by_role("button", name="Cancel 3").click()
    dialog.get_by_text("3 cancelled").wait_for()
    assert {task.status() for task in tasks} == {Status.CANCELLED}


def test_a_question_is_answered_with_its_form_and_another_declined(browse, swarm):
    first, second = (swarm.submit("waiter", table=n, durable=True) for n in (7, 8))
    until(lambda: all(one.status() is Status.INPUT_REQUIRED for one in (first, second)))
    page = browse().open("/inbox")
    seven = page.locator("section").filter(has_text="Table 7")
    seven.wait_for()
    assert "<img src=x" in seven.inner_text()
    seven.get_by_label("number").fill("12")
    seven.get_by_role("combobox", name="size").click()
    page.get_by_role("option", name="large").click()
    seven.get_by_role("button", name="Answer").click()
    seven.get_by_text("does not fit").wait_for()
    page.wait_for_timeout(5000)  # it is read again meanwhile, and what was typed stays
    assert seven.get_by_label("number").input_value() == "12"
    seven.get_by_label("number").fill("2")
    seven.get_by_role("button", name="Answer").click()
    assert first.result(timeout=90, wait_for_answers=True) == "2 large"
    eight = page.locator("section").filter(has_text="Table 8")
    eight.get_by_role("button", name="Decline").click()
    page.get_by_role("dialog").get_by_role("button", name="Decline").click()
    assert second.result(timeout=90, wait_for_answers=True) == "nothing, then"
    eight.wait_for(state="detached")
    assert page.evaluate("window.hacked") is None


@pytest.mark.proof
def test_a_schedule_is_shown_and_run_now(browse, swarm):
    page = browse().open("/schedules")
    mine = row(page, "tidy")
    mine.get_by_text("cron(0 8 1 1 ? *)").wait_for()
    assert "01-01 08:00:00 UTC" in mine.inner_text()
    page.get_by_label("Run now: tidy, schedule 0").click()
    page.get_by_text("tidy runs now, beside its schedule:").wait_for()
    task_id = page.get_by_role("status").locator("a.sq-mono").inner_text()
    assert swarm.task(task_id).result(timeout=90).startswith("tidied on")


@pytest.mark.proof
def test_a_session_is_found_read_and_forgotten(browse, swarm, cared_for):
    page = browse().open("/sessions")
    page.get_by_role("link", name="small-talk").click()
    page.get_by_text("Turn 2").wait_for()
    assert "<b>again</b>" in page.get_by_role("main").inner_text()
    page.get_by_role("button", name="Forget").click()
    page.get_by_text("Forget all 2 turns of this session?").wait_for()
    page.get_by_role("dialog").get_by_role("button", name="Forget").click()
    page.get_by_text("There is no such session.").wait_for()
    swarm.submit("chat", text="hello", session_id="small-talk").result(timeout=90)


@pytest.mark.proof
def test_costs_are_drawn_and_summed_as_text(browse, cared_for):
    page = browse().open("/cost?by=model")
    page.locator(".sq-chart svg").wait_for()
    assert HOSTILE_MODEL in row(page, "onerror").first.inner_text()
    page.get_by_role("combobox", name="By").click()
    page.get_by_role("option", name="agent").click()
    page.wait_for_url("**/cost?days=7&by=agent")
    row(page, "report").first.wait_for()
    assert page.evaluate("window.hacked") is None


PATHS = [
    "/dead-letters",
    "/dead-letters/brittle",
    "/failures",
    "/inbox",
    "/schedules",
    "/sessions",
    "/sessions/chat?id=small-talk",
    "/cost",
]


@pytest.mark.proof
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("path", PATHS)
def test_axe_finds_nothing_wrong_with_a_page_of_care(browse, swarm, cared_for, path, dark):
    if path == "/inbox":
        task = swarm.submit("waiter", table=1, durable=True)
        until(lambda: task.status() is Status.INPUT_REQUIRED)
    page = browse(dark=dark).open(path)
    page.wait_for_timeout(700)
    assert violations(page) == []


@pytest.mark.proof
@pytest.mark.parametrize("path", PATHS)
def test_a_narrow_screen_scrolls_no_page_of_care_sideways(browse, cared_for, path):
    page = browse(viewport=NARROW).open(path)
    page.wait_for_timeout(500)
    assert page.evaluate("document.documentElement.scrollWidth") <= NARROW["width"]
