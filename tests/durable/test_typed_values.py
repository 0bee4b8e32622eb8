"""Arguments and results of Python's own types: turned into JSON at the edge, and back."""

import threading
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from uuid import UUID

import pytest
from pydantic import BaseModel

from sqswarm import AsyncSwarm, Request, TaskContext, agent
from sqswarm.schemas.errors import (
    ChildFailed,
    InvalidArguments,
    InvalidReturn,
    TaskFailed,
    UsageError,
)
from sqswarm.testing import MemorySwarm


class Tier(Enum):
    FREE = "free"
    PAID = "paid"


@dataclass
class Address:
    city: str
    since: date


class Customer(BaseModel):
    id: UUID
    tier: Tier
    address: Address
    balance: Decimal = Decimal("1.50")


@agent
def greet(customer: Customer, at: datetime, words: tuple[str, ...] = ()) -> str:
    """Say who it is, when and where."""
    assert isinstance(customer.address, Address)
    return f"{customer.tier.value} {customer.address.since.year} {at:%H} {','.join(words)}"


@agent(topics=["signups"], durability="durable")
async def welcome(ctx: TaskContext, customer: Customer) -> str:
    at = datetime(2026, 11, 30, 7, tzinfo=UTC)
    return await ctx.call(greet, customer=customer, at=at, words=("child",))


@agent(durability="durable")
async def approve(ctx: TaskContext, what: str) -> str:
    answer = await ctx.ask("address", f"Where to, {what}?", Address)
    return answer.city


ADA = Customer(
    id=UUID(int=7), tier=Tier.PAID, address=Address(city="London", since=date(1815, 12, 10))
)
NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)


@pytest.fixture
def memory():
    with MemorySwarm(greet, welcome, approve) as swarm:
        yield swarm


def test_arguments_may_be_models_dataclasses_dates_enums_and_tuples(memory):
    assert memory.submit(greet, customer=ADA, at=NOON, words=("a", "b")).result() == (
        "paid 1815 12 a,b"
    )
    assert memory.submit("greet", customer=ADA, at=NOON).result() == "paid 1815 12 "


def test_requests_and_rows_may_hold_them_or_be_models_of_all_arguments(memory):
    class Row(BaseModel):
        customer: Customer
        at: datetime

    row = {"customer": ADA, "at": NOON}
    tasks = memory.submit_many(greet, [Request(arguments=row), Request(arguments=Row(**row))])
    assert [task.result() for task in tasks] == ["paid 1815 12 "] * 2
    assert [done.value for done in memory.map(greet, [row, Row(**row)])] == ["paid 1815 12 "] * 2


def test_children_events_and_answers_take_them_too(memory):
    assert memory.submit(welcome, customer=ADA).result() == "paid 1815 07 child"
    [task] = memory.publish("signups", {"customer": ADA})
    assert task.result() == "paid 1815 07 child"
    asking = memory.submit(approve, what="Ada")
    memory.run()
    asking.answer("address", Address(city="Turin", since=date(1840, 9, 1)))
    assert asking.result() == "Turin"


def test_the_same_values_are_the_same_arguments_to_an_idempotency_key(memory):
    again = Customer.model_validate_json(ADA.model_dump_json())
    first = memory.submit(greet, customer=ADA, at=NOON, idempotency_key="once")
    assert memory.submit(greet, customer=again, at=NOON, idempotency_key="once").id == first.id


@pytest.mark.parametrize(
    ("wrong", "place"),
    [
        pytest.param(threading.Lock(), r"arguments\.customer is of type _thread\.lock", id="top"),
        pytest.param(
            {"tier": [Tier.FREE, object()]},
            r"arguments\.customer\.tier\[1\] is of type object",
            id="deep",
        ),
        pytest.param(
            Address(city="Rome", since=print),
            r"arguments\.customer\.since is of type builtin_function_or_method",
            id="in-a-dataclass",
        ),
        pytest.param(
            ADA.model_copy(update={"balance": {1: {"b": float}}}),
            r"arguments\.customer\.balance\[1\]\.b is of type type",
            id="in-a-model",
        ),
        pytest.param(b"\xff", r"arguments\.customer is of type bytes", id="bytes-that-are-no-text"),
        pytest.param(
            Address(city="\ud800", since=None),
            r"arguments\.customer\.city .*half of a character",
            id="half-a-character",
        ),
        pytest.param([Tier.FREE, {"a"}], r"arguments\.customer\[1\] has no order", id="set"),
        pytest.param(
            {"n": (n for n in "ab")}, r"arguments\.customer\.n has no order", id="generator"
        ),
        pytest.param(
            [Tier.FREE, float("nan")], r"arguments\.customer\[1\] is not a finite", id="nan"
        ),
    ],
)
def test_what_cannot_be_turned_is_refused_with_its_place_before_anything_is_written(
    memory, wrong, place
):
    good = {"customer": ADA, "at": NOON}
    with pytest.raises(InvalidArguments, match=place):
        memory.submit_many(
            greet,
            [
                Request(arguments=good, durable=True),
                Request(arguments={"customer": wrong, "at": NOON}, durable=True),
            ],
        )
    with pytest.raises(InvalidArguments, match=place):
        list(memory.map(greet, [good, {"customer": wrong, "at": NOON}]))
    memory.run()  # what was published would leave a record
    assert memory.records == []


def test_a_child_whose_arguments_cannot_be_turned_fails_its_parent_with_the_place():
    @agent(durability="durable")
    async def careless(ctx: TaskContext) -> str:
        try:
            return await ctx.call(greet, customer={"id": object()}, at=NOON)
        except ChildFailed:
            return "never started"

    with (
        MemorySwarm(careless, greet) as memory,
        pytest.raises(TaskFailed, match=r"InvalidArguments: .*arguments\.customer\.id is of type"),
    ):
        memory.submit(careless).result()


@agent
def account(name: str) -> Customer:
    return Customer.model_validate({**ADA.model_dump(), "balance": len(name)})


@agent
async def home(name: str) -> Address:
    return Address(city=name, since=date(1840, 9, 1))


@agent
def tier(name: str) -> Tier:
    return Tier(name)


@agent
def birthday(name: str) -> date:
    if name == "nobody":
        raise ValueError(name)
    return date(1815, 12, 10)


@agent(durability="durable")
async def gathered(ctx: TaskContext, name: str) -> dict[str, bool]:
    one = await ctx.call(account, name=name)
    two, three = await ctx.gather(ctx.task(home, name), ctx.task("home", name=name))
    days = await ctx.map(birthday, [{"name": name}, {"name": "nobody"}], return_exceptions=True)
    return {
        "model": one == Customer(**{**ADA.model_dump(), "balance": Decimal(len(name))}),
        "dataclass": two == Address(city=name, since=date(1840, 9, 1)),
        "by its name": three == {"city": name, "since": "1840-09-01"},
        "date": days[0] == date(1815, 12, 10),
        "failure in its place": isinstance(days[1], ChildFailed),
    }


@pytest.fixture
def library():
    with MemorySwarm(account, home, tier, birthday, gathered) as swarm:
        yield swarm


@pytest.mark.parametrize(
    ("given", "name", "typed", "plain"),
    [
        pytest.param(
            home,
            "Turin",
            Address(city="Turin", since=date(1840, 9, 1)),
            {"city": "Turin", "since": "1840-09-01"},
            id="dataclass",
        ),
        pytest.param(tier, "paid", Tier.PAID, "paid", id="enum"),
        pytest.param(birthday, "Ada", date(1815, 12, 10), "1815-12-10", id="date"),
    ],
)
def test_a_result_is_what_the_agents_annotation_says_and_json_by_its_name(
    library, given, name, typed, plain
):
    assert library.submit(given, name).result() == typed
    assert library.submit(given.name, name=name).result() == plain
    tasks = library.submit_many(given, [Request(arguments={"name": name})])
    assert [task.result() for task in library.wait(tasks)] == [typed]
    rows = [{"name": name}]
    assert [done.result() for done in library.map(given, rows)] == [typed]
    assert [done.value for done in library.map(given.name, rows)] == [plain]


def test_a_model_comes_back_as_the_model(library):
    assert library.submit(account, name="Ada").result().balance == Decimal(3)


def test_a_parent_gets_its_childrens_results_as_they_are_annotated(library):
    assert set(library.submit(gathered, "Ada").result().values()) == {True}


async def test_the_awaited_client_parses_too(library):
    swarm = AsyncSwarm(library.stage.connection)
    task = await swarm.submit(home, "Turin")
    library.run()
    assert await task.result() == Address(city="Turin", since=date(1840, 9, 1))
    assert [await one.result() async for one in swarm.wait([task])] == [await task.result()]


def test_a_result_that_is_not_what_the_annotation_here_says_is_told_apart(library):
    @agent(name="home")
    def moved(name: str) -> int: ...

    with pytest.raises(InvalidReturn, match="'home' returned what its annotation here is not"):
        library.submit(moved, name="Turin").result()
    [done] = library.map(moved, [{"name": "Turin"}])
    assert isinstance(done.error, InvalidReturn)


@pytest.mark.parametrize(
    ("agent_given", "args", "named", "why"),
    [
        pytest.param("home", ("Turin",), {}, "has no name", id="by-its-name"),
        pytest.param(home, ("Turin", 2), {}, "takes 1 arguments, not 2", id="too-many"),
        pytest.param(home, ("Turin",), {"name": "Rome"}, "'name' .* given twice", id="twice"),
        pytest.param(gathered, (None, "Ada"), {}, "takes 1 arguments", id="the-context"),
    ],
)
def test_arguments_without_names_are_those_of_the_agents_signature(
    library, agent_given, args, named, why
):
    with pytest.raises(InvalidArguments, match=why):
        library.submit(agent_given, *args, **named)


def test_what_is_no_request_is_refused_and_told_what_is_one(memory):
    with pytest.raises(UsageError, match="this is a dict") as refused:
        memory.submit_many(greet, [{"text": "a"}])
    assert "Request(arguments=" in refused.value.hint
