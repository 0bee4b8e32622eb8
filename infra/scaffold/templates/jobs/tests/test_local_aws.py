"""The same on the local AWS: queues, functions, tables, as they are deployed."""

ORDER = {"order": "o-1", "email": "ada@example.com", "cents": 1250}


def test_an_order_starts_both_jobs(swarm):
    receipt, remind = swarm.publish("orders", ORDER)
    assert receipt.result(timeout=60) == "mail-o-1-rece"
    assert remind.cancel() == "cancelled"  # it would wait for days
