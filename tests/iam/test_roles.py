import pytest
from sqswarm import Swarm

pytestmark = pytest.mark.proof


def test_a_plain_task(stage, at_work):
    from dataclasses import replace

    with Swarm.connect(replace(stage.settings, stage="iam")) as swarm:
        assert swarm.submit("plain", text="hi").result(timeout=20) == "hi"
    print(stage.asked())
    assert stage.denied() == []
