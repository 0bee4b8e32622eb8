"""A document's fenced blocks, and whether what a program printed is what the document shows."""

import re
from dataclasses import dataclass
from pathlib import Path

_BLOCK = re.compile(
    r"(?:<!-- (?P<mark>[^>]*?) -->\n)?```(?P<language>\w*)\n(?P<text>.*?)```", re.DOTALL
)


@dataclass(frozen=True)
class Block:
    """`mark` is what the comment before the block says: "run", "file: call.py", …"""

    mark: str
    language: str
    text: str

    @property
    def about(self) -> str:
        return self.mark.partition(": ")[2]


def blocks(path: Path) -> list[Block]:
    """Return every fenced block of a document, in its order."""
    return [
        Block(m["mark"] or "", m["language"], m["text"]) for m in _BLOCK.finditer(path.read_text())
    ]


def shows(printed: str, expected: str) -> int | None:
    """Return where in `printed` the lines of `expected` end, in order; None where one is missing.

    `…` stands for any text of a line, and one space for any number of them.
    """
    end = 0
    for line in expected.strip().splitlines():
        pattern = r"\s+".join(re.escape(word) for word in line.split())
        found = re.compile(rf"^\s*{pattern.replace('…', '.*')}[^\S\n]*$", re.MULTILINE).search(
            printed, end
        )
        if found is None:
            return None
        end = found.end()
    return end
