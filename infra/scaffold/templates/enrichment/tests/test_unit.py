"""An agent is still its function: a test calls it."""

import asyncio

from agents.archive import shelve
from agents.keywords import keywords


def test_the_words_said_most_often_come_first():
    assert asyncio.run(keywords("Queues", "A queue of queues is in the queue.", top=2)) == [
        "queues",
        "queue",
    ]


def test_a_document_without_words_has_a_shelf_too():
    assert shelve([]) == "?"
