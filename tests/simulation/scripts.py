"""Scripts as text: `children standard(step, ask) lean(ok)`, one inside another to any depth."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import lru_cache


def child(agent: str, script: Sequence[str]) -> str:
    """Return the text of a child task: its agent and what that plays."""
    return f"{agent}({', '.join(script)})"


@lru_cache(maxsize=4096)
def children_of(text: str) -> tuple[tuple[str, tuple[str, ...]], ...]:
    """Return the (agent, script) of each child in a text."""
    found = []
    for one in _split(text, " "):
        agent, _, inner = one.partition("(")
        found.append((agent, tuple(_split(inner[:-1], ", "))))
    return tuple(found)


def _split(text: str, separator: str) -> Iterator[str]:
    """Yield the parts of a text between separators that stand in no parentheses."""
    depth, start = 0, 0
    for n, sign in enumerate(text):
        depth += (sign == "(") - (sign == ")")
        if depth == 0 and text.startswith(separator, n):
            yield text[start:n]
            start = n + len(separator)
    yield text[start:]
