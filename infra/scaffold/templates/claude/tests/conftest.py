"""Claude, played from script.json by a server of the tests' own."""

import json
from pathlib import Path

import pytest
from sqswarm.testing.fake_claude import fake_claude

SCRIPT = Path(__file__).parents[1] / "script.json"


@pytest.fixture
def claude(monkeypatch):
    """Have agents ask the script; afterwards it tells what was asked and paid."""
    with fake_claude(json.loads(SCRIPT.read_text())) as server:
        monkeypatch.setenv("ANTHROPIC_BASE_URL", server.base_url)
        monkeypatch.setenv("ANTHROPIC_API_KEY", "not-a-key")
        yield server
