"""Start LocalStack in host mode, in the foreground: ``python -m sqswarm_localstack``."""

import os
import tempfile
from pathlib import Path

from sqswarm_localstack.access import sign_internal_calls
from sqswarm_localstack.lock_annotations import allow_lock_annotations
from sqswarm_localstack.settings import host_mode_environment


def main() -> None:
    """Set the defaults of host mode, then hand over to LocalStack until it is told to stop."""
    for name, value in host_mode_environment(os.environ).items():
        os.environ.setdefault(name, value)
    # Function code is unpacked into the temporary directory: give each instance its own. The
    # variable TMPDIR would do it, but LocalStack takes that for a deprecated setting and warns.
    if run_dir := os.environ.get("SQSWARM_EMULATOR_RUN"):
        scratch = Path(run_dir) / "tmp"
        scratch.mkdir(parents=True, exist_ok=True)
        tempfile.tempdir = str(scratch)
    allow_lock_annotations()
    sign_internal_calls()
    # Imported late: LocalStack reads its settings and evaluates the annotations at import.
    from localstack.runtime.main import main as run_localstack

    run_localstack()


if __name__ == "__main__":
    main()
