"""The local AWS: start, find, reset and stop an emulator on this machine.

>>> from sqswarm.infra.local import down, up
>>> emulator = up()                          # doctest: +SKIP
>>> emulator.endpoint_url                    # doctest: +SKIP
'http://127.0.0.1:4566'
>>> down()                                   # doctest: +SKIP
"""

from sqswarm.infra.local.credentials import environment_variables
from sqswarm.infra.local.emulator import Emulator, EmulatorKind
from sqswarm.infra.local.errors import EmulatorError
from sqswarm.infra.local.health import is_healthy
from sqswarm.infra.local.reset import reset
from sqswarm.infra.local.running import current, status
from sqswarm.infra.local.start import ensure_running, up
from sqswarm.infra.local.stop import down

__all__ = [
    "Emulator",
    "EmulatorError",
    "EmulatorKind",
    "current",
    "down",
    "ensure_running",
    "environment_variables",
    "is_healthy",
    "reset",
    "status",
    "up",
]
