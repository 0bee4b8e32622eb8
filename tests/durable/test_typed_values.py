"""Arguments and results of Python's own types: turned into JSON at the edge, and back."""

import threading
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import Enum
from uuid import UUID

import pytest
from pydantic import BaseModel

from sqswarm import Request, TaskContext, agent
from sqswarm.schemas.errors import ChildFailed, InvalidArguments, TaskFailed
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
