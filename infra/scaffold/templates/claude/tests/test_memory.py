"""The whole swarm in memory, with Claude played from a conversation: no key, no network."""

from pathlib import Path

CONVERSATION = (Path(__file__).parents[1] / "conversation.txt").read_text()


def test_the_desk_looks_an_order_up(memory_swarm, fake_claude):
    fake_claude.plays(CONVERSATION)
    answer, labels = memory_swarm.publish("mails", {"prompt": "Where is o-1?"})
    assert answer.result() == "Your order is on its way, arrives Friday."
    assert labels.result() == []


def test_no_refund_is_paid_before_a_person_agrees(memory_swarm, fake_claude):
    fake_claude.plays(CONVERSATION)
    task = memory_swarm.submit("desk", prompt="I want a refund for o-2")
    memory_swarm.run()  # until nothing can move without us
    assert task.status() == "input_required"
    task.answer("refund", {"decision": "approve"})
    assert task.result() == "Done: refunded 9.00 for o-2."
    assert not fake_claude.repeated()  # no turn was paid for twice
