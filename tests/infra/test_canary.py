"""When a canary is blamed, and what its options say."""

import pytest

from sqswarm import ClaudeAgent
from sqswarm.infra.cli.deploy import canary_of
from sqswarm.infra.deploy import deploy
from sqswarm.infra.deployment.canary import Tally
from sqswarm.infra.plan import plan_of
from sqswarm.infra.project import Project
from sqswarm.schemas.errors import UsageError
from sqswarm.schemas.settings import Settings


@pytest.mark.parametrize(
    ("new", "old", "blamed"),
    [
        pytest.param((2, 2), (100, 0), False, id="too-few"),
        pytest.param((3, 3), (0, 0), True, id="all-of-three"),
        pytest.param((100, 5), (900, 0), False, id="one-in-twenty-is-granted"),
        pytest.param((20, 3), (900, 9), True, id="more-than-twice-as-many"),
        pytest.param((20, 7), (100, 20), False, id="the-old-code-fails-too"),
        pytest.param((10, 6), (10, 9), True, id="more-than-half-anyway"),
    ],
)
def test_new_code_is_blamed_for_failing_clearly_more_than_old(new, old, blamed):
    tally = Tally()
    for version, (ended, failed) in {"2": new, "1": old}.items():
        for number in range(ended):
            tally.add(version, failed=number < failed, error="Boom")
    assert tally.blames("2", "1") is blamed


def test_a_share_and_a_time_are_read():
    canary = canary_of("10%", "5m")
    assert (canary.share, canary.bake_s) == (0.1, 300.0)


@pytest.mark.parametrize(("share", "bake"), [("0%", "5m"), ("100%", "5m"), ("a", "5m"), ("5", "x")])
def test_what_is_none_is_refused(share, bake):
    with pytest.raises(UsageError):
        canary_of(share, bake)


def test_a_canary_needs_versions(tmp_path):
    project = Project(root=tmp_path, modules=("m",), pythonpath=())
    spec = ClaudeAgent("c", model="claude-sonnet-5-5", version="2026-11").spec
    assert spec.version == "2026-11"
    plan = plan_of({"c": spec}, project, stage="none")
    with pytest.raises(UsageError, match="kept"):
        deploy(Settings(stage="none"), plan, canary=canary_of("10%", "1m"))
