"""Label: an agent that is a plain function; it gets the mails that the desk gets."""

from sqswarm import agent

WORDS = {"refund": "money", "invoice": "money", "parcel": "delivery", "late": "delivery"}


@agent(timeout=10, topics=["mails"])
async def label(prompt: str) -> list[str]:
    """Name what a mail is about."""
    return sorted({about for word, about in WORDS.items() if word in prompt.lower()})
