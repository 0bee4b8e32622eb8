"""The same on the local AWS: queues, functions, tables, as they are deployed."""


def test_a_mail_reaches_the_desk_and_the_label(claude, swarm):
    tasks = swarm.publish("mails", {"prompt": "Where is o-1?"})
    results = {task.agent: task.result(timeout=60) for task in tasks}
    assert results == {"desk": "Your order is on its way, arrives Friday.", "label": []}
