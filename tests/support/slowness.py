"""How much slower this machine is for us than an idle one: promises in seconds are about those."""

import time

_SPIN_CPU_S = 0.5


def slowness():
    """Return the wall time that a second of CPU takes now, at least 1: others may be at work."""
    begun, cpu = time.monotonic(), time.process_time()
    while time.process_time() - cpu < _SPIN_CPU_S:
        pass
    return max(1.0, (time.monotonic() - begun) / _SPIN_CPU_S)
