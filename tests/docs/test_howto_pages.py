"""The how-to guides: the files of each make a project, and its tests are green."""

import re
import subprocess
import sys
from pathlib import Path

import pytest
from documented import blocks

GUIDES = sorted((Path(__file__).parents[2] / "docs" / "howto").glob("*.md"))
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
