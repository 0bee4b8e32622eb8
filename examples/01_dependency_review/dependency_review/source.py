"""Turning source bytes into a syntax tree, or into the reason why not."""

from __future__ import annotations

import ast
import gc
import re
import warnings
from typing import NamedTuple

# Parsing takes about 40 times a file's size in memory; beyond this a small function would die.
MAX_PARSED_FILE_BYTES = 4 * 1024 * 1024
PYTHON_2 = re.compile(
    rb"^\s*(print\s+[\"'%\w]|except\s+[\w.]+\s*,\s*\w+\s*:|exec\s+[\"'\w])", re.MULTILINE
)


class Unparsed(NamedTuple):
    """Why a file has no syntax tree."""

    reason: str


def parse(content: bytes) -> ast.Module | Unparsed:
    """Parse Python source, honouring its declared encoding."""
    if len(content) > MAX_PARSED_FILE_BYTES:
        return Unparsed(f"larger than {MAX_PARSED_FILE_BYTES // 1024 // 1024} MiB")
    # A tree is thousands of objects and no garbage: collecting meanwhile costs a third.
    collects = gc.isenabled()
    gc.disable()
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # other people's bad escapes are not our output
            return ast.parse(content)
    except SyntaxError as error:
        if PYTHON_2.search(content):
            return Unparsed("looks like Python 2")
        return Unparsed(f"syntax error in line {error.lineno}: {error.msg}")
    except (ValueError, LookupError):
        return Unparsed("not valid text in its declared encoding")
    except (RecursionError, MemoryError):
        return Unparsed("nested too deeply to parse")
    finally:
        if collects:
            gc.enable()


def text_lines(content: bytes) -> list[str]:
    """The file's lines for showing a snippet; undecodable bytes become U+FFFD."""
    return content.decode("utf-8", errors="replace").splitlines()
