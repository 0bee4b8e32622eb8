"""The how-to guides: the files of each make a project, and its tests are green."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest
from documented import blocks

ROOT = Path(__file__).parents[2]
TUTORIAL = ROOT / "docs" / "tutorial.md"
GUIDES = sorted((ROOT / "docs" / "howto").glob("*.md"))
MARK = re.compile(r"not run: .+|file: \w+\.py")
TESTED = [guide for guide in GUIDES if any(b.mark.startswith("file: ") for b in blocks(guide))]


@pytest.mark.parametrize("guide", GUIDES, ids=lambda guide: guide.stem)
def test_every_block_is_run_or_says_why_not(guide):
    for block in blocks(guide):
        assert MARK.fullmatch(block.mark), block


def test_their_files_are_green(tmp_path):
    for guide in TESTED:
        for block in blocks(guide):
            if block.mark.startswith("file: "):
                assert not (tmp_path / block.about).exists(), block.about
                (tmp_path / block.about).write_text(block.text)
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-W", "error", "-p", "no:asyncio"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    for file in tmp_path.glob("test_*.py"):
        assert file.read_text().count("def test_") >= 1, file.name


def test_who_comes_from_elsewhere_sees_both_ways():
    tested = {guide.stem for guide in TESTED}
    assert tested >= {"celery", "step_functions", "powertools", "lambda"}


@pytest.mark.proof
def test_their_types_and_the_tutorials_are_right(tmp_path):
    for block in (one for page in (TUTORIAL, *TESTED) for one in blocks(page)):
        if block.mark.startswith("file: ") and block.language == "python":
            file = tmp_path / block.about
            if not file.name.startswith("test_"):
                file.parent.mkdir(exist_ok=True)
                file.write_text(block.text)
    ran = subprocess.run(
        [
            *(sys.executable, "-m", "mypy", "--strict"),
            *("--explicit-package-bases", "--config-file=", "."),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, "MYPYPATH": str(ROOT / "src")},
        timeout=500,
    )
    mine = {str(file.relative_to(tmp_path)) for file in tmp_path.rglob("*.py")}
    assert len(mine) > 8
    found = [line for line in ran.stdout.splitlines() if line.split(":")[0] in mine]
    assert not [line for line in found if ": error:" in line], ran.stdout
