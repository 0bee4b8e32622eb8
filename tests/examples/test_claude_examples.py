"""The examples of Claude agents run as their READMEs say, with the fake Claude."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[2] / "examples"

pytestmark = pytest.mark.localstack


@pytest.mark.parametrize(
    "example", [pytest.param("03_patterns", marks=pytest.mark.proof), "04_travel_desk"]
)
def test_the_example_checks_itself(emulator, example):
    environment = {n: v for n, v in os.environ.items() if n != "ANTHROPIC_API_KEY"}
    ran = subprocess.run(
        [sys.executable, EXAMPLES / example / "run.py"],
        capture_output=True,
        text=True,
        check=False,
        env=environment,
        timeout=280,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "twice" in ran.stdout
