"""The whole swarm in memory, with Claude played from script.json: no key, no network."""

DELIVERED = "Where is o-1?"


def test_the_desk_looks_an_order_up(memory_swarm, claude):
    answer, labels = memory_swarm.publish("mails", {"prompt": DELIVERED})
    memory_swarm.run()
    assert answer.result() == "Your order is on its way, arrives Friday."
    assert labels.result() == []


def test_no_refund_is_paid_before_a_person_agrees(memory_swarm, claude):
    task = memory_swarm.submit("desk", prompt="I want a refund for o-2")
    memory_swarm.run()  # until nothing can move without us
    assert task.status() == "input_required"
    task.answer("refund", {"decision": "approve"})
    memory_swarm.run()
    assert task.result() == "Done: refunded 9.00 for o-2."
    assert not claude.repeated()  # no turn was paid for twice
