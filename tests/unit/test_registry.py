"""The registry finds agents, and says of a module that cannot be imported where it is broken."""

import pytest

from sqswarm.schemas.errors import InvalidAgent
from sqswarm.workers.registry import load_agents


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param(
            "def greet(name:\n    return 1\n", ["line 1", "^", "SyntaxError"], id="syntax"
        ),
        pytest.param("import nowhere_to_be_found\n", ["line 1", "nowhere_to"], id="import"),
        pytest.param("x = 1\ny = x / 0\n", ["ZeroDivisionError", "line 2: y = x / 0"], id="raises"),
    ],
)
def test_a_broken_module_is_shown_with_its_file_and_line(tmp_path, monkeypatch, text, shown):
    (tmp_path / "broken_agents.py").write_text(text)
    monkeypatch.syspath_prepend(tmp_path)
    with pytest.raises(InvalidAgent) as caught:
        load_agents(["broken_agents"])
    assert all(word in str(caught.value) for word in [*shown, "broken_agents.py"])
