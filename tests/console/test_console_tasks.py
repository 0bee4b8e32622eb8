"""What people do with one task in the console: see why it failed, mend it, answer, cancel."""

import pytest
from console_stage import violations

pytestmark = pytest.mark.localstack


def _ended(swarm, agent, **arguments):
    task = swarm.submit(agent, **arguments)
    return next(iter(swarm.wait([task], timeout=60)))


def _act(console, name):
    return [one for one in console.acts() if one["event"] == f"console.{name}"]


def test_a_failed_task_is_mended_and_seen_to_complete_without_a_reload(browse, console, swarm):
    failed = _ended(swarm, "summarise", text="  ")
    page = browse().open("/tasks?status=failed&agent=summarise")
    page.locator(f"a[href='/tasks/{failed.id}']").click()
    page.get_by_text("there is no text to summarise").first.wait_for()
    page.evaluate("window.kept = true")
    page.get_by_role("button", name="Run again…").click()
    dialog = page.get_by_role("dialog")
    dialog.get_by_label("text", exact=True).fill("First. Second. Third. Fourth.")
    dialog.get_by_label("sentences (optional)").fill("2")
    dialog.get_by_role("button", name="Run it").click()
    again = page.locator("section", has_text="Run again as")
    again.get_by_text("completed", exact=True).wait_for()
    again.get_by_text("First. Second").wait_for()
    assert page.evaluate("window.kept")
    [act] = [one for one in _act(console, "task.retried") if one["task_id"] == failed.id]
    assert act["principal"] == swarm.principal
    assert act["edited"]
    assert act["outcome"] == "done"


@pytest.mark.proof
def test_what_does_not_fit_the_schema_is_said_where_it_was_written(browse, swarm):
    page = browse().open("/submit?agent=summarise")
    page.get_by_label("text", exact=True).fill("One. Two.")
    page.get_by_label("sentences (optional)").fill("some")
    page.get_by_role("button", name="Submit").click()
    page.get_by_role("alert").get_by_text("'some' is no whole number").wait_for()
    page.get_by_text("Write it as JSON").first.click()
    page.get_by_text("'some' is no whole number").first.wait_for()
    page.get_by_label("sentences (optional)").fill("")
    page.get_by_text("Write it as JSON").first.click()
    page.get_by_label("JSON").fill('{"text": 1}')
    page.get_by_role("button", name="Submit").click()
    page.get_by_role("alert").get_by_text("do not fit the agent 'summarise'").wait_for()


@pytest.mark.proof
def test_a_task_is_submitted_by_the_form_of_its_schema(browse, swarm):
    page = browse().open("/agents/summarise")
    page.get_by_role("button", name="Submit…").click()
    page.get_by_label("text", exact=True).fill("One. Two.\nThree.")
    page.get_by_label("tone (optional)").click()
    page.get_by_role("option", name="loud").click()
    page.get_by_role("button", name="Submit", exact=True).click()
    card = page.locator("section", has_text="Submitted to summarise")
    card.get_by_text("ONE. TWO").wait_for()
    task_id = card.locator("a[href^='/tasks/']").inner_text()
    assert swarm.get(task_id).result()["text"].startswith("ONE.")


@pytest.mark.proof
def test_an_agent_is_paused_and_resumed_and_who_did_it_is_logged(browse, console, swarm):
    page = browse().open("/agents/wait_for")
    page.get_by_role("button", name="Pause…").click()
    page.get_by_role("button", name="Pause it").click()
    page.get_by_role("heading", name="Paused").wait_for()
    assert swarm.paused().keys() == {"wait_for"}
    assert violations(page) == []
    task = swarm.submit("wait_for", seconds=0)
    page.get_by_role("button", name="Resume").click()
    page.get_by_role("button", name="Pause…").wait_for()
    assert task.result(timeout=60)
    assert swarm.paused() == {}
    for name in ("agent.pause", "agent.resume"):
        assert [act["outcome"] for act in _act(console, name)] == ["done"]


@pytest.mark.proof
def test_a_task_is_paused_and_resumed_and_who_did_it_is_logged(browse, console, swarm):
    task = swarm.submit("report", topic="moths", sections=1)
    page = browse().open(f"/tasks/{task.id}")
    page.get_by_text("Publish the report on moths?").first.wait_for()
    page.get_by_role("button", name="Pause").click()
    page.get_by_role("button", name="Resume").wait_for()
    page.get_by_text("paused", exact=True).first.wait_for()
    assert violations(page) == []
    assert swarm.get(task.id).record.paused_now["by"] == swarm.principal
    page.get_by_role("button", name="Resume").click()
    page.get_by_role("button", name="Pause").wait_for()
    assert swarm.get(task.id).record.paused_now is None
    for name in ("task.paused", "task.resumed"):
        assert [act["outcome"] for act in _act(console, name)] == ["done"]


@pytest.mark.proof
def test_a_question_is_answered_by_the_form_of_its_schema(browse, console, swarm):
    task = swarm.submit("report", topic="bees", sections=1)
    page = browse().open(f"/tasks/{task.id}")
    page.get_by_text("Publish the report on bees?").first.wait_for()
    page.get_by_label("approved").click()
    page.get_by_role("option", name="yes").click()
    page.get_by_role("button", name="Answer").click()
    page.locator("section", has_text="Result").get_by_text("bees: section 0").wait_for()
    [act] = [one for one in _act(console, "question.answered") if one["task_id"] == task.id]
    assert act["principal"] == swarm.principal


@pytest.mark.proof
def test_a_task_is_cancelled_once_somebody_has_said_so_twice(browse, console, swarm):
    task = swarm.submit("report", topic="wasps", sections=1)
    page = browse().open(f"/tasks/{task.id}")
    page.get_by_text("Publish the report on wasps?").first.wait_for()
    page.get_by_role("button", name="Cancel…").click()
    page.get_by_role("button", name="Leave it").click()
    assert not [one for one in _act(console, "task.cancelled") if one["task_id"] == task.id]
    page.get_by_role("button", name="Cancel…").click()
    page.get_by_role("button", name="Cancel it").click()
    page.get_by_text("cancelled", exact=True).first.wait_for()
    assert swarm.get(task.id).status == "cancelled"


@pytest.mark.proof
def test_a_task_that_no_worker_has_begun_is_awaited(browse, swarm):
    task = swarm.submit("summarise", text="One.", delay=4)
    page = browse().open(f"/tasks/{task.id}")
    page.get_by_text("No worker has begun this task yet.").wait_for()
    page.get_by_text("completed", exact=True).first.wait_for()


@pytest.mark.proof
def test_an_unknown_task_is_said_to_be_none(browse):
    page = browse().open("/tasks/0199c2f0-5d3c-7c3e-8f43-2f6a1c0d9e11")
    page.get_by_role("alert").get_by_text("no task 0199c2f0").wait_for()
