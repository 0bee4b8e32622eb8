"""Run a scenario of the official suite and read its verdicts."""

import json
import subprocess
import tempfile
from dataclasses import dataclass
from pathlib import Path

from install import NODE, SUITE

TASKS = {
    "tasks-lifecycle": 9,
    "tasks-capability-negotiation": 5,
    "tasks-wire-fields": 4,
    "tasks-request-state-removal": 3,
    "tasks-mrtr-input": 4,
    "tasks-request-headers": 5,
    "tasks-dispatch-and-envelope": 9,
    "tasks-required-task-error": 3,
    "tasks-mrtr-composition": 2,
}
"""The scenarios of the Tasks extension and how many checks each has: 44. The tenth,
tasks-status-notifications, is always skipped by the suite itself."""

GENERAL = (
    "tools-list",
    "tools-call-simple-text",
    "tools-call-error",
    "caching",
    "http-header-validation",
    "resources-list",
    "prompts-list",
    "sep-2164-resource-not-found",
    "input-required-result-basic-elicitation",
    "input-required-result-request-state",
    "input-required-result-multi-round",
    "input-required-result-result-type",
    "input-required-result-missing-input-response",
    "input-required-result-unsupported-methods",
    "input-required-result-ignore-extra-params",
    "input-required-result-validate-input",
)
"""What else of revision 2026-07-28 applies; docs/mcp.md says why the others do not."""

LOOPBACK = ("dns-rebinding-protection",)
"""What applies to a server that this machine alone may reach."""


@dataclass(frozen=True)
class Verdicts:
    """What the suite found: check ids and, of the failed ones, why."""

    passed: list
    failed: dict
    output: str


def run(scenario: str, url: str) -> Verdicts:
    """Run one scenario against the server at `url`."""
    with tempfile.TemporaryDirectory() as folder:
        command = [NODE, SUITE, "server", "--url", url, "--scenario", scenario, "-o", folder]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=150)
        files = list(Path(folder).glob("*/checks.json"))
        assert len(files) == 1, done.stdout + done.stderr
        checks = json.loads(files[0].read_text())
    return Verdicts(
        passed=[c["id"] for c in checks if c["status"] == "SUCCESS"],
        failed={
            c["id"]: c.get("errorMessage") for c in checks if c["status"] in {"FAILURE", "WARNING"}
        },
        output=done.stdout[-3000:],
    )
