"""The same on the local AWS: queues, functions, tables, as they are deployed."""

from pathlib import Path

CONVERSATION = (Path(__file__).parents[1] / "conversation.txt").read_text()


def test_a_mail_reaches_the_desk_and_the_label(fake_claude, swarm):
    fake_claude.plays(CONVERSATION)
    tasks = swarm.publish("mails", {"prompt": "Where is o-1?"})
    results = {task.agent: task.result(timeout=60) for task in tasks}
    assert results == {"desk": "Your order is on its way, arrives Friday.", "label": []}
