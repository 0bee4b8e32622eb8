"""What a worker that calls nobody does not pay for."""

import subprocess
import sys


def test_a_worker_starts_without_the_mcp_client():
    code = (
        "import sys, sqswarm.workers.hosts.lambda_handler, sqswarm.workers.durable.context;"
        "heavy = ('mcp', 'mcp_types', 'httpx2', 'sqswarm.workers.durable.remote');"
        "print([m for m in heavy if m in sys.modules])"
    )
    told = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert told.stdout.strip() == "[]"
