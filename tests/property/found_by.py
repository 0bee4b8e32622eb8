"""Where each planted mistake was found last: its test looks there first, and only then from 0 on.

`python tests/property/found_by.py` looks for all of them anew, after the storms have changed.
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

_PATH = Path(__file__).with_name("found_by.json")


def found_by() -> dict[str, int]:
    """Return the seed of a storm that each mistake, by its name, was found in."""
    known: dict[str, int] = json.loads(_PATH.read_text())
    return known


def _look() -> None:
    tests = Path(__file__).parents[1]
    sys.path[:0] = [str(tests), str(tests / "support"), str(tests / "property")]
    from test_mutations import MUTATIONS, first_broken

    known = found_by() if _PATH.exists() else {}
    found: dict[str, int] = {}
    for name, (mistake, workload) in MUTATIONS.items():
        with mistake():
            report = first_broken(workload, first=known.get(name, 0))
        sys.stdout.write(f"{name}: {report and report.fault_plan.seed}\n")
        if report is not None:
            found[name] = report.fault_plan.seed
    _PATH.write_text(json.dumps(found, indent=1, sort_keys=True) + "\n")


if __name__ == "__main__":
    _look()
