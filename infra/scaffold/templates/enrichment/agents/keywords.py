"""Keywords: an agent that is a plain function. Most agents are."""

import re
from collections import Counter

from sqswarm import agent

COMMON = {"a", "an", "and", "are", "by", "for", "in", "is", "it", "of", "on", "the", "to", "with"}


@agent(timeout=10, topics=["documents"])
async def keywords(title: str, text: str, top: int = 3) -> list[str]:
    """Name the words that a document says most often."""
    words = re.findall(r"[a-z]+", f"{title} {text}".lower())
    counted = Counter(word for word in words if word not in COMMON)
    return [word for word, _ in counted.most_common(top)]
