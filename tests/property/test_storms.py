"""Seeded storms over the whole swarm in one process: no law is broken."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_no_storm_breaks_a_law():
    """Crashes, duplicates, lost answers, late requests, skewed clocks: see infra/simulate."""
    ran = subprocess.run(
        [sys.executable, "-m", "infra.simulate", "--storms", "300", "--jobs", "1"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=150,
        check=False,
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "storms: 300 run, 0 violations" in ran.stdout
