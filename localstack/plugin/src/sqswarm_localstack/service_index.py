"""The index of AWS's services, made once: ``python -m sqswarm_localstack.service_index``.

LocalStack finds with it which service a request is for. It keeps it in the directory of one
instance, which begins empty at every start: the first request then waits 3 s for it, and the
process stays 300 MB larger. Ours lies beside the environment, whose packages it describes.
"""

import os
import sys
from pathlib import Path
from typing import Any


def kept_path(name: str) -> Path:
    """Return where the index lies; its name tells the versions that it was made from."""
    return Path(sys.prefix, "cache", name)


def use_kept_index() -> None:
    """Load the index that was made when the environment was, where there is one."""
    from localstack.aws import spec

    stock = spec.build_service_index_cache

    def load_or_build(file_path: str) -> Any:
        kept = kept_path(Path(file_path).name)
        return spec.load_service_index_cache(str(kept)) if kept.exists() else stock(file_path)

    spec.build_service_index_cache = load_or_build


def main() -> None:
    """Make the index, whole or not at all."""
    from sqswarm_localstack.lock_annotations import allow_lock_annotations

    allow_lock_annotations()
    from localstack.aws import spec

    kept = kept_path(spec._get_catalog_filename())  # noqa: SLF001
    kept.parent.mkdir(exist_ok=True)
    draft = kept.with_name(f".{kept.name}.{os.getpid()}")
    spec.build_service_index_cache(str(draft))
    draft.replace(kept)


if __name__ == "__main__":
    main()
