"""llms.txt: the site as a list for language models, with each page's Markdown beside the page.

Source: llmstxt.org.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from python_text import with_python_text

_ASIDE = re.compile(r"<!--.*?-->\n?", re.DOTALL)
_SENTENCE = re.compile(r".+?\.(?=\s|$)", re.DOTALL)
_LINK = re.compile(r"\[([^\]]*)\]\([^)]*\)")
_BEFORE = re.compile(r"^\d+\. |\*\*(Context|Problem)\.\*\* |\*\*")


def write_llms(site: Path, *, title: str, about: str, nav: Any, pages: dict[str, str]) -> None:
    """Write llms.txt, llms-full.txt and a copy of each page's Markdown into `site`."""
    lines = [f"# {title}", "", f"> {about}", ""]
    whole = []
    for section in nav.items:
        lines += [f"## {section.title}", ""]
        for page in _pages_of(section):
            text = _ASIDE.sub("", with_python_text(pages[page.file.src_uri])).strip() + "\n"
            copy = site / page.file.src_uri
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_text(text, encoding="utf-8")
            lines.append(f"- [{page.title}]({page.file.src_uri}): {first_sentence(text)}")
            whole.append(text)
        lines.append("")
    (site / "llms.txt").write_text("\n".join(lines), encoding="utf-8")
    (site / "llms-full.txt").write_text("\n\n".join(whole), encoding="utf-8")


def first_sentence(text: str) -> str:
    """Return the first sentence of the first paragraph; empty where there is none."""
    for part in re.sub(r"```.*?```", "", text, flags=re.DOTALL).split("\n\n"):
        plain = " ".join(_BEFORE.sub("", _LINK.sub(r"\1", part.strip())).split())
        if plain and plain[0] not in "#|<!:-":
            found = _SENTENCE.match(plain)
            return found[0] if found else plain.rstrip(":")
    return ""


def _pages_of(section: Any) -> Iterator[Any]:
    if section.is_page:
        yield section
    for child in section.children or ():
        yield from _pages_of(child)
