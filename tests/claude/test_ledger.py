"""Money: checked before a call, entered after it, to the token."""

import asyncio

import pytest
from asking import ask
from memory_swarm import Clock

from sqswarm import ClaudeAgent
from sqswarm.infra.cli.cost import entries_since
from sqswarm.schemas.budget import Budget, BudgetAccount, CostCeiling, worst_case
from sqswarm.schemas.errors import InvalidAgent, InvalidSettings
from sqswarm.schemas.ledger import LedgerEntry, entries_of, totals
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.pricing import PRICES, Price, Tokens, own_prices, plain_model, price_of
from sqswarm.schemas.writes import Key
from sqswarm.workers.claude.budget import Spend
from sqswarm.workers.runtime.outcome import Fail

MODEL = "claude-sonnet-5-5"
DAY = "2027-01-15"  # of the test clock


def lookup(n: int) -> str:
    """Look something up."""
    return f"{n} " * 50


USE = {"use": [{"tool": "lookup", "input": {"n": 1}}]}


def entries(memory):
    days = {entries_of(agent, DAY) for agent in memory.catalogue.agents}
    return [LedgerEntry.from_item(i) for i in memory.store.items.values() if i["pk"] in days]


async def test_the_ledger_is_the_servers_own_count(memory, play):
    agents = [
        ClaudeAgent(name, model=MODEL, tools=[lookup], budget=Budget(usd=1, tokens=10**6))
        for name in ("a", "b")
    ]
    with play(USE, USE, {"say": "done"}) as stage:
        one = memory(*agents)
        for agent in agents * 2:
            seen = await ask(one, agent)
            assert seen.status is Status.COMPLETED
    whole = totals(entries(one), ())[0]
    paid = stage.usage()
    assert whole.calls == len(stage.paid) == 12
    assert whole.tokens == Tokens(
        input=paid["input_tokens"],
        cache_write=paid["cache_creation_input_tokens"],
        cache_read=paid["cache_read_input_tokens"],
        output=paid["output_tokens"],
    )
    assert whole.tokens.cache_read > 0
    price = price_of(MODEL, day=DAY)
    assert whole.micro_usd == sum(price.micro_usd(Tokens.of(take.usage)) for take in stage.paid)
    accounts = [item for key, item in one.store.items.items() if key.sk == "spend"]
    assert len(accounts) == 4
    assert all(p["spent"] == p["committed"] > 0 for p in accounts)
    assert sum(p["spent"] for p in accounts) == whole.micro_usd


@pytest.mark.parametrize(
    "budget",
    [Budget(tokens=20_000), Budget(usd=0.17), Budget(agent_usd_per_day=0.17),
     Budget(principal_usd_per_day=0.17)],
    ids=["tokens", "task", "agent", "principal"],
)  # fmt: skip
async def test_over_budget_is_an_outcome_before_the_call(memory, play, budget):
    agent = ClaudeAgent("a", model=MODEL, tools=[lookup], budget=budget)
    with play({**USE, "tokens": 7000}) as stage:
        one = memory(agent)
        seen = await ask(one, agent)
    assert seen.status is Status.FAILED
    assert seen.record.error["data"]["type"] == "BudgetExceeded"
    assert 1 <= len(stage.paid) < 20
    whole = totals(entries(one), ())[0]
    if budget.tokens:
        assert whole.tokens.total <= budget.tokens
    else:
        assert whole.micro_usd <= 170_000


class Yielding(Clock):
    async def sleep(self, seconds):
        self.advance(seconds=seconds)
        await asyncio.sleep(0)


async def test_a_budget_holds_with_many_workers_at_once(memory):
    agent = ClaudeAgent("a", model=MODEL, budget=Budget(agent_usd_per_day=1.0))
    one = memory(agent)
    worker = one.worker(agent)
    worker.connection.runner = Yielding()
    ceiling = CostCeiling(micro_usd=90_000, tokens=1)
    price = Price(input=0, output=1000, cache_write=0, cache_read=0)
    refused = 0

    async def work(n):
        nonlocal refused
        spend = Spend(worker, task_id=f"t{n}", principal="me", budget=Budget(agent_usd_per_day=1.0))
        try:
            hold = await spend.reserve(ceiling, patience_s=3)
        except Fail:
            refused += 1
            return
        await asyncio.sleep(0)
        await spend.settle(hold, Tokens(output=60_000), model=MODEL, price=price)

    await asyncio.gather(*(work(n) for n in range(50)))
    [account] = [item for key, item in one.store.items.items() if key.pk == "spend#agent#a"]
    assert account["spent"] == account["committed"] <= 1_000_000
    # What calls did not need came back: the limit is used up to less than one call.
    assert account["spent"] > 1_000_000 - 90_000
    assert refused == 50 - account["spent"] // 60_000


async def test_a_lost_call_counts_with_its_worst_case(memory):
    agent = ClaudeAgent("a", model=MODEL)
    spend = Spend(memory(agent).worker(agent), task_id="t", principal="me", budget=Budget(usd=1))
    await spend.reserve(
        CostCeiling(micro_usd=600_000, tokens=1), patience_s=1
    )  # its worker dies here
    with pytest.raises(Fail, match="hold what is left"):
        await spend.reserve(CostCeiling(micro_usd=600_000, tokens=1), patience_s=1)


def test_a_purse_says_why():
    account = BudgetAccount(key=Key(pk="p", sk="s"), name="task", micro_usd=1_000_000, tokens=100)
    assert account.reason_to_refuse(CostCeiling(micro_usd=1, tokens=1), None) is None
    assert "$0.9000 of $1.0000" in account.reason_to_refuse(
        CostCeiling(micro_usd=200_000, tokens=1), {"spent": 900_000}
    )
    assert "90 of 100 tokens" in account.reason_to_refuse(
        CostCeiling(micro_usd=1, tokens=11), {"spent_tokens": 90}
    )


def test_prices_have_dates_and_may_be_overridden():
    assert price_of(MODEL, day="2026-10-06").cache_read == 200
    assert price_of(MODEL, day="2026-10-07").cache_read == 100
    assert price_of("us.anthropic.claude-haiku-4-5-20251001-v1:0", day=DAY).input == 1000
    assert plain_model("anthropic.claude-sonnet-5-5") == MODEL
    assert price_of("mine", day=DAY) is None
    own = own_prices(
        {"mine": {"input": 1, "output": 2, "cache_read": 0.5}, MODEL: {"input": 9, "output": 9}}
    )
    assert price_of("mine", day=DAY, own=own) == Price(
        input=1000, output=2000, cache_write=1250, cache_read=500
    )
    assert price_of(MODEL, day=DAY, own=own).input == 9000
    for wrong in ({"m": {"input": 1}}, {"m": {"input": 1, "output": 1, "x": 1}}, {"m": 3},
                  {"m": {"input": -1, "output": 1}}):  # fmt: skip
        with pytest.raises(InvalidSettings):
            own_prices(wrong)


def test_a_long_prompt_has_its_own_price():
    haiku = price_of("claude-haiku-5-5", day=DAY)
    assert haiku.micro_usd(Tokens(input=100_000, output=10)) == 10_005
    assert haiku.micro_usd(Tokens(input=100_001, output=10)) == 50_026
    assert worst_case(known=None, new_bytes=10**6, max_tokens=0, price=haiku).micro_usd > 300_000


def test_every_price_is_dated_in_order():
    for model, prices in PRICES.items():
        assert list(prices) == sorted(prices, key=lambda price: price.since), model
        assert prices[0].since == ""


def test_a_budget_is_no_nonsense():
    with pytest.raises(InvalidAgent):
        Budget(usd=-1)
    with pytest.raises(InvalidAgent):
        Budget(turns=0)


async def test_costs_are_read_day_by_day(memory, play):
    agent = ClaudeAgent("a", model=MODEL)
    with play({"say": "x"}):
        one = memory(agent)
        await ask(one, agent)
        one.clock.advance(seconds=24 * 3600)
        await ask(one, agent)
    found = await entries_since(one.connection, ["a"], days=2)
    assert [t.group for t in totals(found, ("day", "agent", "model"))] == [
        (DAY, "a", MODEL),
        ("2027-01-16", "a", MODEL),
    ]
    assert len(await entries_since(one.connection, ["a"], days=1)) == 1
    assert await entries_since(one.connection, ["b"], days=2) == []
