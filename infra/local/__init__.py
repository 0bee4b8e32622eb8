"""The local AWS: start, find, reset and stop an emulator on this machine.

>>> from infra.local import down, up
>>> emulator = up()                          # doctest: +SKIP
>>> emulator.endpoint_url                    # doctest: +SKIP
'http://127.0.0.1:4566'
>>> down()                                   # doctest: +SKIP
"""

from infra.local.emulator import Emulator, EmulatorKind
from infra.local.errors import EmulatorError
from infra.local.health import is_healthy
from infra.local.reset import reset
from infra.local.running import current, status
from infra.local.start import up
from infra.local.stop import down

__all__ = [
    "Emulator",
    "EmulatorError",
    "EmulatorKind",
    "current",
    "down",
    "is_healthy",
    "reset",
    "status",
    "up",
]
