"""The outline of Markdown or reStructuredText: sections, code, prose, and what is broken."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_FENCE = re.compile(r"^ {0,3}(?:> ?)?\s*(`{3,}|~{3,})(.*)$")
_ATX = re.compile(r"^ {0,3}(#{1,6})\s+(.+?)\s*#*\s*$")
_HTML_TITLE = re.compile(r"<h([1-6])[^>]*>(.*?)</h\1>", re.IGNORECASE | re.DOTALL)
_RST_LINE = re.compile(r"^([=\-`:.'\"~^_*+#])\1{2,}\s*$")
_DIRECTIVE = re.compile(r"^\s*\.\. ([a-z-]+)::")
_CODE_DIRECTIVES = {"code", "code-block", "sourcecode", "doctest", "literalinclude"}
_LINK = re.compile(r"https?://[^\s<>)\"'\]]+")


@dataclass(kw_only=True)
class Markup:
    """What a README consists of. `prose` is its text without code, markup and addresses."""

    sections: list[str] = field(default_factory=list)
    code_blocks: int = 0
    link_count: int = 0
    prose: str = ""
    problems: list[str] = field(default_factory=list)


def outline(text: str, kind: str) -> Markup:
    """Take a README apart; `kind` is its media type."""
    lines = text.expandtabs(4).splitlines()
    result = _outline_rst(lines) if kind == "text/x-rst" else _outline_markdown(lines)
    result.link_count = len(set(_LINK.findall(text)))
    result.prose = _plain(result.prose)
    return result


def _outline_markdown(lines: list[str]) -> Markup:
    result, prose = Markup(), []
    fence, was_blank, in_indented = "", True, False

    for number, line in enumerate(lines):
        mark = _FENCE.match(line)
        if fence:
            if mark and mark[1].startswith(fence) and not mark[2].strip():
                fence = ""
            continue
        if mark and not (mark[1][0] == "`" and "`" in mark[2]):
            fence = mark[1]
            result.code_blocks += 1
            continue
        if line.startswith("    ") and (was_blank or in_indented) and not _in_list(lines, number):
            result.code_blocks += not in_indented
            in_indented = True
            continue
        in_indented, was_blank = False, not line.strip()
        title = _ATX.match(line)
        if title:
            result.sections.append(_plain(title[2]))
        elif number and re.match(r"^(=+|-{3,})\s*$", line) and lines[number - 1].strip():
            result.sections.append(_plain(lines[number - 1]))
        else:
            prose.append(line)
    if fence:
        result.problems.append("a code block is never closed: the rest shows as code")
    result.sections += [_plain(m[1]) for m in _HTML_TITLE.findall("\n".join(prose))]
    result.prose = "\n".join(prose)
    return result


def _in_list(lines: list[str], number: int) -> bool:
    """Whether an indented line continues a list item instead of being code."""
    for line in reversed(lines[max(0, number - 40) : number]):
        if re.match(r"^\s*([-*+]|\d+[.)])\s", line):
            return True
        if line.strip() and not line.startswith(" "):
            return False
    return False


def _outline_rst(lines: list[str]) -> Markup:  # noqa: C901 - one line kind a branch
    result, prose = Markup(), []
    code_indent: int | None = None
    for number, line in enumerate(lines):
        indent = len(line) - len(line.lstrip())
        if code_indent is not None:
            if not line.strip() or indent > code_indent:
                continue
            code_indent = None
        if _is_underline(lines, number):
            title = lines[number - 1].strip()
            result.sections.append(_plain(title))
            if len(line.strip()) < len(title) and not _is_wide(title):
                result.problems.append(f"the underline of the title {title[:40]!r} is too short")
            continue
        directive = _DIRECTIVE.match(line)
        if directive:
            if directive[1] in _CODE_DIRECTIVES:
                result.code_blocks += 1
                code_indent = indent
            continue
        if line.lstrip().startswith(">>>"):
            result.code_blocks += not (
                number and lines[number - 1].lstrip().startswith((">>>", "..."))
            )
            continue
        if line.rstrip().endswith("::") and not line.lstrip().startswith(".."):
            result.code_blocks += 1
            code_indent = indent
        if not _RST_LINE.match(line) and not line.lstrip().startswith(".."):
            prose.append(line)
    result.prose = "\n".join(prose)
    return result


def _is_underline(lines: list[str], number: int) -> bool:
    if number == 0 or not _RST_LINE.match(lines[number]):
        return False
    above = lines[number - 1]
    before = lines[number - 2] if number > 1 else ""
    # Table borders look alike: `==== ====` has a gap, and rows stand above the closing one.
    is_title = bool(above.strip()) and not above.startswith(" ") and not _RST_LINE.match(above)
    return is_title and (not before.strip() or bool(_RST_LINE.match(before)))


def _is_wide(title: str) -> bool:
    """Wide letters make the length in characters say little about the width."""
    return any(ord(c) > 0x2E7F for c in title)  # noqa: PLR2004


def _plain(text: str) -> str:
    """Strip inline markup, addresses and HTML."""
    text = re.sub(r"<!--.*?-->|<[^>\n]+>", " ", text, flags=re.DOTALL)
    text = re.sub(r"!\[[^\]]*\]\([^)]*\)|\[!\[.*?\]\(.*?\)\]\(.*?\)", " ", text)
    text = re.sub(r"\[([^\]]*)\](\([^)]*\)|\[[^\]]*\])", r"\1", text)
    text = re.sub(r"``?([^`]+?)(?:<[^>]*>)?``?_{0,2}", r"\1", text)
    text = _LINK.sub(" ", text)
    return (
        re.sub(r"[*_|#]+", " ", text).strip() if "\n" not in text else re.sub(r"[*_|#]+", " ", text)
    )
