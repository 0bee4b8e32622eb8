"""FakeClaude: a local server that plays Claude from a script, so that agents run without a key.

`python -m sqswarm.testing.fake_claude --script script.json --port 8765`, or `fake_claude(script)`
in Python.
"""

from sqswarm.testing.fake_claude.run import FakeClaude, fake_claude
from sqswarm.testing.fake_claude.script import Script

__all__ = ["FakeClaude", "Script", "fake_claude"]
