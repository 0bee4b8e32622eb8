"""Audit: known vulnerabilities of what is installed; says so where their list cannot be reached."""

import json
import subprocess
import sys
from pathlib import Path

_COMMAND = ("--local", "--skip-editable", "--progress-spinner=off", "--format=json")


def verdict(output: str, errors: str) -> tuple[int, str]:
    """Return the exit code and what to say of pip-audit's output."""
    try:
        found = json.loads(output)["dependencies"]
    except ValueError:
        offline = "connect" in errors.lower()
        reason = errors.strip().rpartition("\n")[2]
        return (0, f"skipped: {reason}") if offline else (1, errors)
    unknown = [one["name"] for one in found if "skip_reason" in one]
    if len(unknown) == len(found):
        return 0, "skipped: its data on vulnerabilities cannot be reached from here"
    bad = [
        f"{one['name']} {one['version']}: {hole['id']}, mended in {hole['fix_versions'] or 'none'}"
        for one in found
        for hole in one.get("vulns", ())
    ]
    seen = f"{len(found) - len(unknown)} packages, {len(bad)} vulnerabilities"
    left = f"; not looked at: {', '.join(unknown)}" if unknown else ""
    return bool(bad), "\n".join([f"{seen}{left}", *bad])


if __name__ == "__main__":
    program = Path(sys.executable).parent / "pip-audit"
    done = subprocess.run([program, *_COMMAND], capture_output=True, text=True, check=False)
    code, said = verdict(done.stdout, done.stderr)
    print(f"pip-audit: {said}")  # noqa: T201
    sys.exit(code)
