"""Cold import of the agents' Lambda handler, against `import boto3` alone."""

from __future__ import annotations

import os
import subprocess
import sys

from benchmarks.report import Comparison, alternate

LIMIT = 1.3


def measure(*, rounds: int = 15) -> Comparison:
    """Import in fresh processes, in turns; the processor time of import, start-up left out."""
    _processor_s(
        "sqswarm.workers.hosts.lambda_handler"
    )  # writes the .pyc files that a bundle ships
    ours, baseline = alternate(
        lambda: _processor_s("sqswarm.workers.hosts.lambda_handler"),
        lambda: _processor_s("boto3"),
        rounds=rounds,
    )
    return Comparison(
        name="import sqswarm.workers.hosts.lambda_handler",
        baseline="import boto3",
        seconds=ours,
        baseline_seconds=baseline,
        limit=LIMIT,
        at_most=True,
    )


def _processor_s(module: str) -> float:
    code = f"import time; t = time.process_time(); import {module}; print(time.process_time() - t)"
    environment = {n: v for n, v in os.environ.items() if n != "PYTHONDONTWRITEBYTECODE"}
    ran = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, env=environment
    )
    return float(ran.stdout)
