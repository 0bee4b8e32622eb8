"""The whole swarm in memory, on virtual time: retries, questions and children in milliseconds."""

import pytest
from sqswarm import SwarmError

SECRET = {"title": "Secret plan", "text": "The secret plan is secret."}


def test_both_agents_get_each_document(memory_swarm):
    tasks = memory_swarm.publish("documents", {"title": "Queues", "text": "Queues hold tasks."})
    memory_swarm.run()
    filed, words = (task.result() for task in tasks)
    assert words == ["queues", "hold", "tasks"]
    assert filed == {"title": "Queues", "shelf": "Q", "keywords": words}


def test_a_secret_document_waits_for_a_person(memory_swarm):
    task = memory_swarm.submit("archive", **SECRET)
    memory_swarm.run()  # until nothing can move without us
    assert task.status() == "input_required"
    task.answer("file", {"approved": True})
    memory_swarm.run()
    assert task.result()["shelf"] == "S"


def test_a_person_may_refuse(memory_swarm):
    task = memory_swarm.submit("archive", **SECRET)
    memory_swarm.run()
    task.answer("file", {"approved": False})
    memory_swarm.run()
    with pytest.raises(SwarmError, match="not to be filed"):
        task.result()
