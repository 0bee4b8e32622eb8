"""Rehearsal: a local server that plays Claude from a script, so that agents run without a key.

`python -m infra.rehearsal --script script.json --port 8765`, or `rehearsing(script)` in Python.
"""

from infra.rehearsal.run import Rehearsal, rehearsing
from infra.rehearsal.script import Script

__all__ = ["Rehearsal", "Script", "rehearsing"]
