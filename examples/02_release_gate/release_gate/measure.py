"""What can be said of one Python file by looking at it."""

from __future__ import annotations

import ast
import re

from pydantic import BaseModel

_MARK = re.compile(r"#.*\b(TODO|FIXME|XXX|HACK)\b")
_BRANCHES = (
    ast.If,
    ast.For,
    ast.AsyncFor,
    ast.While,
    ast.ExceptHandler,
    ast.BoolOp,
    ast.IfExp,
    ast.comprehension,
    ast.match_case,
)


class Measured(BaseModel):
    """One file's figures; `hardest` is the function with the most branches, `branches` of them."""

    path: str
    lines: int
    functions: int = 0
    undocumented: int = 0
    marks: int = 0
    hardest: str = ""
    branches: int = 0
    problem: str = ""


def measure(path: str, text: str) -> Measured:
    """Return the figures of a file; one that cannot be parsed says so."""
    lines = text.splitlines()
    found = Measured(
        path=path, lines=len(lines), marks=sum(1 for line in lines if _MARK.search(line))
    )
    try:
        tree = ast.parse(text)
    except (SyntaxError, ValueError) as error:
        return found.model_copy(update={"problem": str(error)})
    for node in ast.walk(tree):
        if not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            continue
        found.functions += 1
        found.undocumented += not node.name.startswith("_") and ast.get_docstring(node) is None
        branches = sum(isinstance(part, _BRANCHES) for part in ast.walk(node))
        if branches > found.branches:
            found.branches, found.hardest = branches, node.name
    return found
