"""Expose: what an agent shows is there while it runs and waits, and after its end."""

from __future__ import annotations

import pytest
from pydantic import BaseModel

from sqswarm import TaskContext, agent
from sqswarm.schemas.errors import TaskFailed, TaskNotFound
from sqswarm.testing import Kill, MemorySwarm


class Cart(BaseModel):
    items: list[str] = []


@agent(durability="durable")
async def shop(*, ctx: TaskContext) -> int:
    """Collect items, and show them."""
    cart = Cart()
    while len(cart.items) < 2:
        await ctx.expose(cart)
        cart.items.append(str(await ctx.receive("item", str)))
    await ctx.expose(cart)
    return await ctx.step("count", lambda: len(cart.items))


@agent
async def show(value: str, *, ctx: TaskContext) -> None:
    """Show a text, three times."""
    for _ in range(3):
        await ctx.expose({"text": value})


@agent(durability="lean")
async def lean(*, ctx: TaskContext) -> None:
    """Show something where there is nowhere to."""
    await ctx.expose(1)


@pytest.fixture
def memory() -> MemorySwarm:
    return MemorySwarm(shop, show, lean)


def exposures(memory: MemorySwarm) -> list[int]:
    seen: list[int] = []
    real = memory.stage.store.write

    async def write(one):
        seen.extend(1 for c in one.changes if c.name == "state" and one.key.sk == "task")
        return await real(one)

    memory.stage.store.write = write
    return seen


def test_state_is_there_while_a_task_waits_and_after_its_end(memory: MemorySwarm) -> None:
    task = memory.submit(shop)
    assert task.state() is None
    memory.run()
    assert task.state() == {"items": []}
    task.send("item", "tea")
    memory.run()
    assert task.state() == {"items": ["tea"]}
    assert memory.get(task.id).to_json()["state"] == {"items": ["tea"]}
    task.send("item", "jam")
    assert task.result() == 2
    assert memory.state(task.id) == {"items": ["tea", "jam"]}


def test_what_is_shown_already_costs_nothing(memory: MemorySwarm) -> None:
    seen = exposures(memory)
    memory.submit(show, value="a").result()
    assert len(seen) == 1


def test_a_replay_shows_nothing_of_the_past(memory: MemorySwarm) -> None:
    seen = exposures(memory)
    task = memory.submit(shop)
    for item in ("tea", "jam"):
        memory.run()
        task.send("item", item)
    assert task.result() == 2
    assert len(seen) == 3  # once each, and in two replays nothing


def test_another_attempt_shows_what_it_comes_to(memory: MemorySwarm) -> None:
    memory.add_faults(Kill(after="step count"))
    task = memory.submit(shop)
    task.send("item", "tea")
    task.send("item", "jam")
    assert task.result() == 2
    assert task.state() == {"items": ["tea", "jam"]}


def test_what_is_too_large_or_no_json_ends_the_task(memory: MemorySwarm) -> None:
    with pytest.raises(TaskFailed, match=r"InvalidState: what is exposed has 5,\d\d\d bytes"):
        memory.submit(show, value="x" * 5000).result()


def test_a_lean_task_has_nowhere_to_show_it(memory: MemorySwarm) -> None:
    with pytest.raises(TaskFailed, match="NeedsRecord"):
        memory.submit(lean).result()


def test_nobody_sees_the_state_of_no_task(memory: MemorySwarm) -> None:
    with pytest.raises(TaskNotFound):
        memory.state("0199c2f0-5d3c-7c3e-8f43-2f6a1c0d9e11")


def test_what_looks_like_a_secret_is_not_shown(memory: MemorySwarm) -> None:
    task = memory.submit(show, value="AKIAIOSFODNN7EXAMPLE")
    task.result()
    assert "AKIAIOSFODNN7EXAMPLE" not in str(task.state())
