"""Examples start the local AWS where none runs, and never reach for another one."""

import pytest

from sqswarm.infra.local import ensure_running, start, trial
from sqswarm.infra.local.errors import EmulatorError
from sqswarm.schemas.errors import UsageError


@pytest.fixture
def nothing_chosen(monkeypatch, tmp_path):
    """An environment that names no AWS, where nothing runs; what would be started is noted."""
    for name in ("AWS_ENDPOINT_URL", "AWS_PROFILE", "AWS_ACCESS_KEY_ID", "SQSWARM_STAGE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("SQSWARM_HOME", str(tmp_path))
    started = []
    monkeypatch.setattr(start, "up", lambda **options: started.append(options))
    return started


def test_one_is_started_where_none_runs(nothing_chosen):
    with pytest.raises(UsageError):  # nothing was really started, so nothing is reached
        ensure_running()
    assert len(nothing_chosen) == 1


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AWS_PROFILE", "work"),
        ("AWS_ACCESS_KEY_ID", "AKIA"),
        ("AWS_ENDPOINT_URL", "https://sqs.example.com"),
    ],
)
def test_another_aws_is_never_touched(nothing_chosen, monkeypatch, name, value):
    monkeypatch.setenv(name, value)
    with pytest.raises(UsageError) as caught:
        ensure_running()
    assert "Unset" in caught.value.hint
    assert nothing_chosen == []


@pytest.mark.localstack
def test_the_one_that_runs_is_used(emulator, monkeypatch):
    for name in ("AWS_ENDPOINT_URL", "AWS_ACCESS_KEY_ID"):
        monkeypatch.delenv(name)
    settings = ensure_running(stage="mine")
    assert (settings.endpoint_url, settings.stage) == (emulator.endpoint_url, "mine")


@pytest.mark.localstack
def test_a_fresh_local_aws_is_tried_with_a_function(emulator, monkeypatch):
    trial.try_function(emulator)
    monkeypatch.setattr(trial, "_CODE", "import not_there_at_all\n")
    with pytest.raises(EmulatorError, match="not_there_at_all"):
        trial.try_function(emulator)
