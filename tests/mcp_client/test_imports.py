"""What a worker that calls nobody does not pay for."""

import subprocess
import sys


def test_a_worker_starts_without_the_mcp_client():
    code = (
        "import sys, workers.lambda_handler, workers.runtime, workers.context;"
        "print([m for m in ('mcp', 'mcp_types', 'httpx2', 'workers.remote') if m in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
