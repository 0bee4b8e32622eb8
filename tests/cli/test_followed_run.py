"""A run that is followed on the command line may be left: it goes on."""

import time

import pytest
import typer

from sqswarm import agent
from sqswarm.infra.cli.run import _followed
from sqswarm.infra.cli.session import Session
from sqswarm.testing import MemorySwarm
from sqswarm.workers.agents import map_run


@agent
def half(n: int) -> float:
    return n / 2


def test_ctrl_c_leaves_a_run_and_says_how_to_come_back(monkeypatch, capsys):
    with MemorySwarm(half, map_run) as memory:
        run = memory.start_map(half, [{"n": n} for n in range(3)])

        def left(_):
            raise KeyboardInterrupt

        monkeypatch.setattr(time, "sleep", left)
        with pytest.raises(typer.Exit) as ended:
            _followed(Session(), run)
        assert ended.value.exit_code == 0
        assert f"come back with `sqswarm run {run.id}`" in capsys.readouterr().err
        assert run.result().done == 3
        monkeypatch.undo()
        assert _followed(Session(), run).done == 3
