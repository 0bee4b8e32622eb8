"""Let ``threading.Lock | None`` be written on Pythons where it cannot."""

import sys
import threading
from typing import Any


class _LockFactory:
    """Makes locks like ``threading.Lock`` and, unlike it, stands in a union."""

    def __init__(self, make_lock: Any) -> None:
        self._make_lock = make_lock
        self._lock_type = type(make_lock())

    def __call__(self) -> Any:
        return self._make_lock()

    def __or__(self, other: Any) -> Any:
        return self._lock_type | other

    def __ror__(self, other: Any) -> Any:
        return other | self._lock_type


def allow_lock_annotations() -> None:
    """Replace ``threading.Lock`` by a callable that can be part of a union.

    localstack-core >= 4.10 annotates with ``threading.Lock | None``. Before Python 3.13 that name
    is a builtin function, so the import of DynamoDB and of two start-up hooks fails with a
    TypeError. Must run before anything of LocalStack is imported.
    """
    if sys.version_info < (3, 13):
        threading.Lock = _LockFactory(threading.Lock)  # type: ignore[assignment]
