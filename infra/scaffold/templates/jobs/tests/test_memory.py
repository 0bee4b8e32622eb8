"""The whole swarm in memory, on virtual time: failures, retries and days in milliseconds."""

import pytest
from sqswarm import SwarmError

from agents import mail

ORDER = {"order": "o-1", "email": "ada@example.com", "cents": 1250}


@pytest.fixture
def sent(monkeypatch):
    """The texts of the mails that were sent."""
    mails = []
    monkeypatch.setattr(mail, "send", lambda to, text, *, key: mails.append(text) or key)
    return mails


def test_an_order_starts_both_jobs(memory_swarm, sent):
    receipt, remind = memory_swarm.publish("orders", ORDER)
    memory_swarm.run()  # days pass at once
    assert receipt.result() == "o-1-receipt"
    assert remind.result() == ["o-1-review-3", "o-1-review-4"]
    assert len(sent) == 3


def test_a_busy_mail_server_is_asked_again(memory_swarm, monkeypatch):
    answers = iter([mail.MailServerBusy("come back"), mail.MailServerBusy("later"), "mail-1"])

    def send(to, text, *, key):
        answer = next(answers)
        if isinstance(answer, Exception):
            raise answer
        return answer

    monkeypatch.setattr(mail, "send", send)
    task = memory_swarm.submit("receipt", **ORDER)
    memory_swarm.run()
    assert task.result() == "mail-1"


def test_an_address_that_is_none_fails_at_once(memory_swarm, sent):
    task = memory_swarm.submit("receipt", **{**ORDER, "email": "nobody"})
    memory_swarm.run()
    with pytest.raises(SwarmError, match="no address"):
        task.result()
    assert sent == []
