"""No error is missing in the reference, and each says what to do."""

import ast
import re
from pathlib import Path

import pytest
from error_reference import FOLDERS, error_classes, error_reference, fix_of

ROOT = Path(__file__).parents[2]
PAGE = (ROOT / "docs" / "reference" / "errors.md").read_text()


def declared():
    """Return every class of the source whose bases lead to SwarmError: read, not imported."""
    code = "\n".join(
        file.read_text()
        for folder in FOLDERS
        for file in (ROOT / folder).rglob("*.py")
        if "templates" not in file.parts
    )
    bases = dict(re.findall(r"^class ([A-Z]\w+)\((?:\w+\.)?(\w+)", code, re.MULTILINE))
    known = {"SwarmError"}
    while more := {name for name, base in bases.items() if base in known} - known:
        known |= more
    return known


def test_every_error_of_the_code_is_there_once():
    headings = re.findall(r"^### (\w+)$", error_reference(), re.MULTILINE)
    assert sorted(headings) == sorted(declared())


@pytest.mark.parametrize("error", error_classes(), ids=lambda error: error.__name__)
def test_it_has_a_cause_and_a_fix(error):
    assert len(error.__doc__) > 20
    assert fix_of(error)[-1] in ".!"


def types_in_the_code():
    """Return what is recorded as the type of a failed task: `Fail(type=…)`, `error_type=…`."""
    found = {"WorkerLost"}
    for folder in ("dispatcher", "workers"):
        for file in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text())):
                if isinstance(node, ast.keyword) and node.arg in {"type", "error_type"}:
                    found |= _type(node.value)
    from sqswarm.workers.claude import conversation, turn

    return found | set(turn._FINAL.values()) | {kind for kind, _ in conversation._ENDS.values()}


def _type(value):
    text = value.value if isinstance(value, ast.Constant) else None
    return {text} if isinstance(text, str) and text[:1].isupper() else set()


def test_every_type_of_a_failed_task_has_its_row():
    rows = re.findall(r"^\| `(\w+)` \| .+ \| .+ \|$", PAGE, re.MULTILINE)
    assert set(rows) >= types_in_the_code()
    assert rows == sorted(rows)


def test_the_command_lines_page_has_every_exit_code():
    page = (ROOT / "docs" / "reference" / "cli.md").read_text()
    codes = set(re.findall(r"^\| (\d) \|", page, re.MULTILINE))
    assert codes == {"0", *(str(error.exit_code) for error in error_classes())}
