"""The README is executed: its files are written, its commands run, in its order."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
BLOCK = re.compile(
    r"(?:<!-- (?P<mark>[^>]*?) -->\n)?```(?P<language>\w+)\n(?P<text>.*?)```", re.DOTALL
)


def blocks(path):
    """Return (mark, language, text) of every fenced block."""
    found = BLOCK.finditer(path.read_text())
    return [(m["mark"] or "", m["language"], m["text"]) for m in found]


def test_every_block_of_the_readme_is_run_or_says_why_not():
    ci = (ROOT / ".ci" / "run").read_text()
    for mark, language, text in blocks(ROOT / "README.md"):
        if mark.startswith(("file: ", "run", "not run: ")):
            continue
        commands = [line.split("#")[0].strip() for line in text.splitlines()]
        assert language == "bash"
        for command in commands:
            assert command.replace("make ", "make --no-print-directory ") in ci, command


@pytest.mark.localstack
def test_the_readme_works_from_top_to_bottom(emulator, tmp_path):
    environment = {
        **os.environ,
        "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
        "PYTHONPATH": str(tmp_path),
        "SQSWARM_STAGE": "readme",
    }
    printed = ""
    for mark, _, text in blocks(ROOT / "README.md"):
        if mark.startswith("file: "):
            file = tmp_path / mark.removeprefix("file: ")
            file.parent.mkdir(exist_ok=True)
            file.write_text(text)
        elif mark == "run":
            # The emulator of these tests runs already, on a port of its own.
            up = f"sqswarm up --emulator {emulator.kind} --port {emulator.port}\n"
            script = text.replace("sqswarm up\n", up)
            ran = subprocess.run(
                ["bash", "-euo", "pipefail", "-c", script],
                cwd=tmp_path,
                env=environment,
                capture_output=True,
                text=True,
                timeout=150,
                check=False,
            )
            assert ran.returncode == 0, ran.stdout + ran.stderr
            printed += ran.stdout
    assert "Hello, Ada!" in printed
    assert "0 Hello, Bo!" in printed
    assert "greet Hello, Eve!" in printed
    assert "['Hello, Gil!', 'Hello, Hal!']" in printed
    assert "Hello, Fay!" in (tmp_path / "greetings.jsonl").read_text()
