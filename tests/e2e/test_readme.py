"""The README is executed: its files are written, its commands run, in its order."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from documented import blocks

ROOT = Path(__file__).parents[2]


def test_every_block_of_the_readme_is_run_or_says_why_not():
    ci = (ROOT / ".ci" / "run").read_text()
    for block in blocks(ROOT / "README.md"):
        if block.mark.startswith(("file: ", "run", "not run: ")):
            continue
        commands = [line.split("#")[0].strip() for line in block.text.splitlines()]
        assert block.language == "bash"
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
    for block in blocks(ROOT / "README.md"):
        if block.mark.startswith("file: "):
            file = tmp_path / block.about
            file.parent.mkdir(exist_ok=True)
            file.write_text(block.text)
        elif block.mark == "run":
            # The emulator of these tests runs already, on a port of its own.
            up = f"sqswarm up --emulator {emulator.kind} --port {emulator.port}\n"
            script = block.text.replace("sqswarm up\n", up)
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
