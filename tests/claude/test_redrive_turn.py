"""A conversation that failed at its fortieth turn goes on from there: one call, paid once."""

import pytest
from asking import ask

from sqswarm import Budget, ClaudeAgent
from sqswarm.dispatcher.lifecycle.redrive import redrive
from sqswarm.dispatcher.view import view
from sqswarm.schemas.ledger import LedgerEntry
from sqswarm.schemas.lifecycle import Status

MODEL = "claude-sonnet-5-5"
CALLS = []


def lookup(n: int) -> str:
    """Look something up."""
    CALLS.append(n)
    return f"{n} is found"


planner = ClaudeAgent("planner", model=MODEL, tools=[lookup], budget=Budget(turns=50, usd=5))
LOOKED = [{"use": [{"tool": "lookup", "input": {"n": n}}]} for n in range(39)]
REFUSED = {"error": {"status": 400, "type": "invalid_request_error", "message": "not this one"}}


def ledger(memory, task_id):
    items = [item for key, item in memory.store.items.items() if key.pk.startswith("ledger#")]
    return [e for e in map(LedgerEntry.from_item, items) if e.task_id == task_id]


@pytest.mark.parametrize("name", ["turn 40", "end"])
async def test_it_makes_exactly_one_call_and_the_ledger_agrees(memory, play, name):
    CALLS.clear()
    swarm = memory(planner)
    with play(*LOOKED, REFUSED) as stage:
        seen = await ask(swarm, planner)
        assert (seen.status, len(stage.paid)) == (Status.FAILED, 39)
    assert seen.record.error["data"]["type"] == "BadRequest"
    assert seen.record.to_json()["failedSteps"] == ["turn#39"]
    before = ledger(swarm, seen.id)
    with play(*LOOKED, {"say": "All found."}) as stage:
        new = await redrive(swarm.connection, seen.id, from_step=name)
        await swarm.settle_down()
        again = await view(swarm.connection, new.task_id)
        assert again.result() == "All found."
        assert len(stage.takes) == 1
    assert [*range(39)] == CALLS
    own = ledger(swarm, new.task_id)
    assert (len(own), len(before)) == (1, 39)
    assert ledger(swarm, seen.id) == before
    copied = again.to_json()["copied"]
    assert (copied["turns"], copied["steps"]) == (39, 39)
    assert copied["usd"] == pytest.approx(sum(one.micro_usd for one in before) / 1e6)
    assert copied["tokens"] == sum(one.tokens.total for one in before)
    purses = [one for key, one in swarm.store.items.items() if key.sk == "spend"]
    mine = [one["spent"] for one in purses if new.task_id in one["pk"]]
    assert mine == [own[0].micro_usd]
