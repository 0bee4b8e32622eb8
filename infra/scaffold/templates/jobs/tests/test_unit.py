"""What is no agent is tested as always, and a job without waits could be called too."""

from agents import mail


def test_a_mail_is_known_by_its_key():
    assert mail.send("ada@example.com", "Hello", key="o-1-receipt") == "mail-o-1-rece"
