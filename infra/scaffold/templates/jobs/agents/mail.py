"""Mail: what the jobs do to the world. No agent: yours would call a mail service here."""


class MailServerBusy(Exception):
    """The mail server wants us back later."""


def send(to: str, text: str, *, key: str) -> str:
    """Send a mail and return its id; `key` lets a mail service refuse to send it twice."""
    print(f"mail to {to}: {text}")
    return f"mail-{key[:8]}"
