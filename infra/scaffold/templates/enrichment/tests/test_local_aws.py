"""The same on the local AWS: queues, functions, tables, as they are deployed."""


def test_a_document_reaches_both_agents(swarm):
    tasks = swarm.publish("documents", {"title": "Queues", "text": "Queues hold tasks."})
    results = {task.agent: task.result(timeout=60) for task in tasks}
    assert results["keywords"] == ["queues", "hold", "tasks"]
    assert results["archive"]["shelf"] == "Q"
