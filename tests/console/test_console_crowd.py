"""100,000 tasks in the table: what failed last is found, read, mended and seen to complete."""

import time

import pytest
from console_crowd import crowd
from console_stage import violations

pytestmark = [
    pytest.mark.localstack,
    pytest.mark.proof,
    pytest.mark.timeout(3000),  # to put them there is most of it
]

COUNT = 100_000


@pytest.fixture(scope="module")
def newest_failed(swarm):
    names = swarm._swarm._connection.names
    return crowd(names, "summarise", COUNT, now_ms=int(time.time() * 1000))


def test_the_newest_failed_task_is_found_in_a_second_and_mended(browse, newest_failed):
    browser = browse()
    browser.open("/tasks")  # what any first page loads is in the browser's cache
    page, took, empty = browser.page, [], []
    for _ in range(5):  # side by side: what a page takes at all on this machine, as busy as it is
        for agent, shown, times in (
            ("echo", page.get_by_text("No task fits these filters."), empty),
            ("summarise", page.locator(f"a[href='/tasks/{newest_failed}']"), took),
        ):
            began = time.monotonic()
            page.goto(f"{browser.console.base}/tasks?status=failed&agent={agent}")
            shown.wait_for()
            times.append(time.monotonic() - began)
    page.get_by_text("50 shown").first.wait_for()  # a thousand are not counted each time
    page.locator(f"a[href='/tasks/{newest_failed}']").click()
    page.get_by_text(f"task {COUNT - 1} has no text").first.wait_for()
    page.evaluate("window.kept = true")
    page.get_by_role("button", name="Run again…").click()
    page.get_by_role("dialog").get_by_label("text", exact=True).fill("Now it has.")
    page.get_by_role("dialog").get_by_role("button", name="Run it").click()
    again = page.locator("section", has_text="Run again as")
    again.get_by_text("completed", exact=True).wait_for()
    assert page.evaluate("window.kept")
    told = {"of 100,000": [round(s, 2) for s in took], "of none": [round(s, 2) for s in empty]}
    print("the list of failed tasks, in seconds:", told)  # noqa: T201
    assert min(took) < 1 or min(took) < 2 * min(empty), told


def test_pages_go_back_through_all_of_them(browse, newest_failed):
    page = browse().open("/tasks?status=failed&agent=summarise")
    page.locator(f"a[href='/tasks/{newest_failed}']").wait_for()
    seen = set()
    for _ in range(3):
        page.get_by_role("button", name="Older").click()
        page.get_by_role("button", name="Newest").wait_for()
        links = page.locator("table a[href^='/tasks/']")
        links.first.wait_for()
        found = {link.get_attribute("href") for link in links.all()}
        assert len(found) == 50
        assert not found & seen
        seen |= found
        page.wait_for_url("**cursor=**")
    assert violations(page) == []


def test_the_overview_bears_them(browse, newest_failed):
    page = browse().open("/")
    page.get_by_text("Why tasks failed").wait_for()
    assert violations(page) == []
