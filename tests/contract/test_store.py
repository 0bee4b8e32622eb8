"""The store's contract: what the memory twin promises, DynamoDB keeps, and the other way round."""

import asyncio
from dataclasses import replace
from secrets import randbits

import pytest

from sqswarm.backends.memory.store import MemoryStore
from sqswarm.backends.ports.store import Index
from sqswarm.schemas import protocol
from sqswarm.schemas.agent_spec import Durability
from sqswarm.schemas.errors import NotStorable
from sqswarm.schemas.history import attempts, began
from sqswarm.schemas.ids import new_task_id, new_version
from sqswarm.schemas.journal import Place
from sqswarm.schemas.json import loads
from sqswarm.schemas.lifecycle import Phase, Status
from sqswarm.schemas.payload import Payload
from sqswarm.schemas.protocol import Ending, Lease, listed_under
from sqswarm.schemas.results import error_object
from sqswarm.schemas.task import TaskRecord, due_shard, task_key
from sqswarm.schemas.writes import (
    Absent,
    Add,
    Applied,
    Drop,
    Eq,
    Has,
    Key,
    Le,
    Lt,
    Missing,
    Ne,
    Refused,
    Remove,
    Set,
    Write,
)

NOW = 1_800_000_000_000


def record(**changes):
    fields = {
        "task_id": new_task_id(NOW, randbits),
        "agent": "keywords",
        "principal": "me",
        "status": Status.WORKING,
        "v": new_version(randbits),
        "durability": Durability.DURABLE,
        "created_ms": NOW,
        "updated_ms": NOW,
        "due_at_ms": NOW + 60_000,
        "arguments": Payload(inline='{"text":"ü"}'),
        "parent": None,
    }
    return TaskRecord(**{**fields, **changes})


def fresh_key():
    return Key(pk=f"test#{new_task_id(NOW, randbits)}", sk="x")


def lease_of(made, *, v, attempt=1):
    return Lease(
        agent=made.agent,
        task_id=made.task_id,
        v=v,
        attempt=attempt,
        until_ms=NOW + 1000,
        durability=made.durability,
    )


def acquire(made, *, expected=None, token="mine", now=NOW, attempts=3, read=None):
    return protocol.acquire(
        made.key,
        expected=expected or made.v,
        max_attempts=attempts,
        token=token,
        now_ms=now,
        lease_until_ms=now + 1000,
        began=began(now, "worker", token),
        record=read,
    )


async def stored(store, task_id):
    item = await store.read(task_key("keywords", task_id))
    return None if item is None else TaskRecord.from_item(item)


async def test_a_created_record_reads_back_as_it_was(store):
    made = record(session_id="s", traceparent="t", deadline="d", redriven_from="r")
    assert isinstance(await store.write(protocol.create(made)), Applied)
    assert await stored(store, made.task_id) == made


async def test_an_insert_alone_in_a_batch_replaces_nothing_and_shows_what_stands_there(store):
    made = record()
    [first] = await store.write_many([protocol.create(made)])
    [again] = await store.write_many([protocol.create(replace(made, v="other"))])
    assert isinstance(first, Applied)
    assert TaskRecord.from_item(again.item) == made


async def test_a_second_create_is_refused_and_shows_what_stands_there(store):
    made = record()
    await store.write(protocol.create(made))
    again = await store.write(protocol.create(replace(made, v="other")))
    assert isinstance(again, Refused)
    assert TaskRecord.from_item(again.item) == made


async def test_acquire_counts_the_attempt_and_moves_the_version(store):
    made = record()
    await store.write(protocol.create(made))
    outcome = await store.write(acquire(made))
    assert isinstance(outcome, Applied)
    now = TaskRecord.from_item(outcome.item)
    assert (now.attempt, now.v, now.lease_until_ms) == (1, "mine", NOW + 1000)
    assert now.due_at_ms == made.due_at_ms


@pytest.mark.parametrize(
    ("changes", "options"),
    [
        pytest.param({"status": Status.COMPLETED}, {}, id="ended"),
        pytest.param({"status": Status.INPUT_REQUIRED}, {}, id="waits-for-input"),
        pytest.param({"phase": Phase.WAITING}, {}, id="waits-for-children"),
        pytest.param({"attempt": 3}, {}, id="attempts-used-up"),
        pytest.param({"lease_until_ms": NOW + 1}, {}, id="leased"),
        pytest.param({}, {"expected": "stale"}, id="version-moved-on"),
    ],
)
async def test_acquire_is_refused(store, changes, options):
    made = record(**changes)
    await store.write(protocol.create(made))
    outcome = await store.write(acquire(made, **options))
    assert isinstance(outcome, Refused)
    assert await stored(store, made.task_id) == made


async def test_a_second_worker_cannot_acquire_a_live_lease_but_may_after_it(store):
    made = record()
    await store.write(protocol.create(made))
    await store.write(acquire(made, token="first"))
    assert isinstance(await store.write(acquire(made, expected="first", token="second")), Refused)
    unread = acquire(made, expected="first", token="second", now=NOW + 1000)
    assert isinstance(await store.write(unread), Refused)
    read = await stored(store, made.task_id)
    later = acquire(made, expected="first", token="second", now=NOW + 1000, read=read)
    outcome = await store.write(later)
    assert isinstance(outcome, Applied)
    lost, runs = attempts(TaskRecord.from_item(outcome.item), now_ms=NOW + 1500).attempts
    assert (lost.outcome, lost.began_ms, lost.ended_ms) == ("lost", NOW, NOW + 1000)
    assert (lost.request_id, runs.request_id, runs.outcome) == ("first", "second", None)


async def test_a_slow_workers_own_word_is_not_replaced_by_its_being_lost(store):
    made = record()
    await store.write(protocol.create(made))
    taken = await store.write(acquire(made, token="slow"))
    lease = replace(lease_of(made, v="slow"), began=taken.item["began"])
    read = TaskRecord.from_item(taken.item)
    await store.write(protocol.release(lease, now_ms=NOW + 999, message="", error_type="Late"))
    heir = acquire(made, expected="slow", token="heir", now=NOW + 1000, read=read)
    assert isinstance(await store.write(heir), Refused)
    now = await stored(store, made.task_id)
    heir = acquire(made, expected="slow", token="heir", now=NOW + 1000, read=now)
    outcome = await store.write(heir)
    said, runs = attempts(TaskRecord.from_item(outcome.item), now_ms=NOW + 1000).attempts
    assert (said.outcome, said.error_type, runs.outcome) == ("retried", "Late", None)


async def test_a_late_writer_is_refused_after_its_lease_was_taken_over(store):
    made = record()
    await store.write(protocol.create(made))
    await store.write(acquire(made, token="zombie"))
    read = await stored(store, made.task_id)
    await store.write(acquire(made, expected="zombie", token="heir", now=NOW + 1000, read=read))
    ending = Ending(result=Payload(inline="{}"))
    for write in (
        protocol.settle(lease_of(made, v="zombie"), ending, now_ms=NOW, expires_s=1, owes=False),
        protocol.renew(lease_of(made, v="zombie"), lease_until_ms=NOW + 9000),
        protocol.release(lease_of(made, v="zombie"), now_ms=NOW, message=""),
        protocol.progress(lease_of(made, v="zombie"), now_ms=NOW, thousandths=1, message=None),
    ):
        assert isinstance(await store.write(write), Refused)
    assert (await stored(store, made.task_id)).v == "heir"


async def test_settle_records_the_result_once_and_clears_due(store):
    made = record()
    await store.write(protocol.create(made))
    await store.write(acquire(made))
    lease = lease_of(made, v="mine")
    done = protocol.settle(
        lease, Ending(result=Payload(inline='{"a":1}')), now_ms=NOW + 5, expires_s=77, owes=False
    )
    assert isinstance(await store.write(done), Applied)
    ended = await stored(store, made.task_id)
    assert (ended.status, ended.result, ended.due_at_ms) == (
        Status.COMPLETED,
        Payload(inline='{"a":1}'),
        None,
    )
    assert (ended.expires_s, ended.lease_until_ms) == (77, 0)
    assert isinstance(await store.write(done), Refused)


async def test_a_failed_task_keeps_its_error_and_due_while_it_owes(store):
    made = record()
    await store.write(protocol.create(made))
    await store.write(acquire(made))
    error = error_object("KeyError", "'x'", attempt=1)
    await store.write(
        protocol.settle(
            lease_of(made, v="mine"), Ending(error=error), now_ms=NOW, expires_s=1, owes=True
        )
    )
    ended = await stored(store, made.task_id)
    assert (ended.status, ended.error, ended.due_at_ms) == (Status.FAILED, error, made.due_at_ms)
    await store.write(protocol.clear_due(made.key, Status.FAILED))
    assert (await stored(store, made.task_id)).due_at_ms is None


async def test_an_exhausted_task_fails_only_when_nobody_holds_it(store):
    made = record(attempt=3, lease_until_ms=NOW + 1)

    def fail(now):
        return protocol.fail_exhausted(
            made,
            error=error_object("WorkerLost", "thrice"),
            now_ms=now,
            expires_s=1,
            owes=False,
        )

    await store.write(protocol.create(made))
    assert isinstance(await store.write(fail(NOW)), Refused)
    assert isinstance(await store.write(fail(NOW + 1)), Applied)
    assert (await stored(store, made.task_id)).status is Status.FAILED


async def test_cancel_and_settle_have_one_winner(store):
    made = record()
    await store.write(protocol.create(made))
    await store.write(acquire(made))
    cancel = protocol.cancel(made, now_ms=NOW, expires_s=1)
    assert isinstance(await store.write(cancel), Applied)
    ending = Ending(result=Payload(inline="{}"))
    settle = protocol.settle(lease_of(made, v="mine"), ending, now_ms=NOW, expires_s=1, owes=False)
    assert isinstance(await store.write(settle), Refused)


async def test_a_tombstone_refuses_the_acquire_that_would_create(store):
    made = record(durability=Durability.STANDARD, due_at_ms=None)
    await store.write(protocol.cancel_unrecorded(made))
    outcome = await store.write(protocol.acquire_new(made, token="mine", lease_until_ms=NOW + 1000))
    assert isinstance(outcome, Refused)
    assert outcome.item["status"] == "cancelled"


async def test_lean_settle_makes_the_record_with_its_result(store):
    made = record(durability=Durability.LEAN, due_at_ms=None)
    ending = Ending(result=Payload(inline='{"result":1}'), wrapped=True)
    write = protocol.settle_lean(made, ending, now_ms=NOW, expires_s=5)
    assert isinstance(await store.write(write), Applied)
    assert isinstance(await store.write(write), Refused)
    ended = await stored(store, made.task_id)
    assert (ended.status, ended.wrapped, ended.expires_s) == (Status.COMPLETED, True, 5)


async def test_a_batch_gives_each_write_its_own_outcome_in_order(store):
    fresh, taken, ready, gone = record(), record(), record(), record()
    await store.write_many([protocol.create(taken), protocol.create(ready)])
    outcomes = await store.write_many(
        [
            protocol.acquire_new(fresh, token="t", lease_until_ms=NOW + 1),
            protocol.create(taken),
            acquire(ready),
            acquire(gone),
        ]
    )
    assert [type(o) for o in outcomes] == [Applied, Refused, Applied, Refused]
    assert outcomes[1].item["v"] == taken.v
    assert outcomes[2].item["attempt"] == 1
    assert outcomes[3].item is None


async def test_a_refused_update_of_a_batch_shows_what_stands_there(store):
    one, two = record(lease_until_ms=NOW + 1), record(status=Status.CANCELLED)
    await store.write_many([protocol.create(one), protocol.create(two)])
    outcomes = await store.write_many([acquire(one), acquire(two)])
    assert [o.item["v"] for o in outcomes] == [one.v, two.v]


async def test_a_batch_larger_than_one_call_keeps_its_order(store):
    made = [record() for _ in range(60)]
    outcomes = await store.write_many([protocol.create(r) for r in made])
    assert all(isinstance(o, Applied) for o in outcomes)
    again = await store.write_many([protocol.create(r) for r in made])
    assert [o.item["v"] for o in again] == [r.v for r in made]
    found = await store.read_many([r.key for r in made] + [fresh_key()])
    assert len(found) == 60


def spoiled():
    """Return writes that no table can carry out, by what is wrong with them."""
    long, half = "x" * 2100, "a\ud800"
    put = (Set("v", "new"),)
    return {
        "an-item-over-400-KB": protocol.create(record(arguments=Payload(inline="x" * 420_000))),
        "an-empty-key": Write(key=Key(pk="", sk="task"), when=(Absent(),), changes=put),
        "a-long-key": Write(key=Key(pk=long, sk="task"), when=(Absent(),), changes=put),
        "a-long-sort-key": Write(key=Key(pk="p", sk=long), when=(Absent(),), changes=put),
        "half-a-character": protocol.create(record(session_id=half)),
        "half-a-key": Write(key=Key(pk=half, sk="task"), when=(Absent(),), changes=put),
        "an-update-with-it": Write(
            key=fresh_key(), when=(Eq("v", "1"),), changes=(Set("v", "x" * 420_000),)
        ),
    }


@pytest.mark.parametrize("name", list(spoiled()))
async def test_a_write_that_no_table_can_hold_costs_its_batch_nothing(store, name):
    taken, ready = record(), record()
    await store.write_many([protocol.create(taken), protocol.create(ready)])
    fresh, spoilt = record(), spoiled()[name]
    outcomes = await store.write_each(
        [
            protocol.acquire_new(fresh, token="t", lease_until_ms=NOW + 1),
            spoilt,
            protocol.create(taken),
            acquire(ready),
        ]
    )
    if name == "an-update-with-it":  # its condition does not hold: an engine may say that first
        assert isinstance(outcomes[1], NotStorable | Refused)
    else:
        assert isinstance(outcomes[1], NotStorable)
        with pytest.raises(NotStorable):
            await store.write(spoilt)
        with pytest.raises(NotStorable):
            await store.write_many([spoilt, protocol.create(record())])
    assert [type(o) for o in (outcomes[0], *outcomes[2:])] == [Applied, Refused, Applied]
    assert (await stored(store, fresh.task_id)).attempt == 1
    assert (await stored(store, ready.task_id)).attempt == 1


class Unread:
    """A way to AWS on which no batch of items can be read."""

    def __init__(self, caller):
        self._caller = caller

    async def call(self, service, operation, **parameters):
        if operation == "batch_get_item":
            raise ConnectionError(operation)
        return await self._caller.call(service, operation, **parameters)


async def test_what_fails_after_a_batch_was_written_costs_it_no_outcome(store, monkeypatch):
    """A duplicate INSERT is answered without its item; reading that took the others' leases."""
    if isinstance(store, MemoryStore):
        pytest.skip("its answers hold the items")
    taken, fresh = record(), record()
    await store.write_many([protocol.create(taken)])
    monkeypatch.setattr(store, "_caller", Unread(store._caller))
    outcomes = await store.write_each(
        [protocol.acquire_new(one, token="t", lease_until_ms=NOW) for one in (taken, fresh)]
    )
    assert [type(outcome) for outcome in outcomes] == [ConnectionError, Applied]


async def test_one_batch_may_not_name_a_key_twice(store):
    made = record()
    with pytest.raises(ValueError, match="same key"):
        await store.write_many([protocol.create(made), protocol.create(made)])


SETS = (Set("n", 5), Set("s", frozenset({1, 2})), Set("m", {"a": {"b": [1, "x", None]}}))


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        (Absent(), False),
        (Eq("n", 5), True),
        (Eq("n", 6), False),
        (Eq("x", 5), False),
        (Ne("n", 6), True),
        (Ne("n", 5), False),
        (Ne("x", 5), True),
        (Lt("n", 6), True),
        (Lt("n", 5), False),
        (Lt("x", 5), False),
        (Le("n", 5), True),
        (Le("n", 4), False),
        (Has("s", 1), True),
        (Has("s", 3), False),
        (Has("x", 1), False),
        (Missing("x"), True),
        (Missing("n"), False),
    ],
)
async def test_conditions_mean_the_same_everywhere(store, condition, expected):
    key = fresh_key()
    await store.write(Write(key=key, when=(Absent(),), changes=SETS))
    outcome = await store.write(Write(key=key, when=(condition,), changes=(Set("hit", 1),)))
    assert isinstance(outcome, Applied) is expected


async def test_changes_mean_the_same_everywhere(store):
    key = fresh_key()
    await store.write(Write(key=key, when=(Absent(),), changes=SETS))
    outcome = await store.write(
        Write(
            key=key,
            when=(Eq("n", 5),),
            changes=(Add("n", 2), Add("new", 3), Drop("s", 1), Remove("m")),
        )
    )
    expected = {"pk": key.pk, "sk": key.sk, "n": 7, "new": 3, "s": frozenset({2})}
    assert dict(outcome.item) == expected
    outcome = await store.write(Write(key=key, when=(Has("s", 2),), changes=(Drop("s", 2),)))
    assert "s" not in outcome.item
    assert await store.read(key) == outcome.item


async def test_nested_values_read_back_as_they_were(store):
    key = fresh_key()
    await store.write(Write(key=key, when=(Absent(),), changes=SETS))
    item = await store.read(key)
    assert item["m"] == {"a": {"b": [1, "x", None]}}
    assert item["s"] == frozenset({1, 2})


async def test_a_group_is_read_in_the_order_of_its_sort_keys(store):
    pk = fresh_key().pk
    for sk in ("step#2", "step#1", "step#3"):
        await store.write(Write(key=Key(pk=pk, sk=sk), when=(Absent(),), changes=(Set("n", 1),)))
    assert [i["sk"] for i in await store.read_group(pk)] == ["step#1", "step#2", "step#3"]
    assert [i["sk"] for i in await store.read_group(pk, after_sk="step#1")] == ["step#2", "step#3"]
    [first, second] = await store.read_group(pk, after_sk="step#", names=["began"], limit=2)
    assert ({*first}, second["sk"]) == ({"pk", "sk"}, "step#2")


async def test_the_sweep_index_names_what_is_due(store):
    made = record(due_at_ms=1000)
    await store.write(protocol.create(made))
    shard = due_shard(made.task_id)
    assert made.key in await store.due(shard, until_ms=1000, limit=1000)
    assert made.key not in await store.due(shard, until_ms=999, limit=1000)


@pytest.mark.parametrize("limit", [2, 100])
async def test_a_partition_is_read_backwards_from_anywhere(store, limit):
    pk = fresh_key().pk
    for sk in ("1", "3", "2"):
        await store.write(Write(key=Key(pk=pk, sk=sk), when=(Absent(),), changes=(Set("n", 1),)))
    page = await store.newest(Index.TABLE, pk, limit=limit)
    assert [item["sk"] for item in page.items] == ["3", "2", "1"][:limit]
    assert page.more or limit > 3
    page = await store.newest(Index.TABLE, pk, until="2", limit=limit)
    assert [item["sk"] for item in page.items] == ["2", "1"]


async def test_the_status_index_has_what_failed_was_cancelled_or_asks(store):
    made = record(tags={"tenant": "acme"})
    await store.write(protocol.create(made))
    where = listed_under(Status.CANCELLED, made.agent)
    assert made.key not in await listed(store, where)
    await store.write(protocol.cancel(made, now_ms=made.created_ms + 5, expires_s=9))
    found = (await listed(store, where))[made.key]
    assert found["principal"] == made.principal
    assert loads(found["tags"]) == {"tenant": "acme"}
    assert found["listed_at"].startswith(f"{made.created_ms + 5:013d}#")
    assert "arguments" not in found


async def test_the_sweep_index_is_read_backwards_too(store):
    made = record(due_at_ms=NOW + randbits(40))
    await store.write(protocol.create(made))
    shard, due_ms = due_shard(made.task_id), made.due_at_ms
    [item] = (await store.newest(Index.SWEEP, shard, until=due_ms, limit=1)).items
    assert (item["pk"], item["due_at"]) == (made.key.pk, due_ms)
    assert "status" not in item


async def test_nobody_is_told_what_stands_in_the_way_of_a_blind_write(store):
    key = fresh_key()
    first, again = (
        Write(key=key, when=(Absent(),), changes=(Set("n", n),), blind=True) for n in (1, 2)
    )
    other = Write(key=fresh_key(), when=(Absent(),), changes=(Set("n", 1),))
    await store.write(first)
    told = await store.write_many([other, again])
    assert [type(one) for one in told] == [Applied, Refused]
    assert (await store.read(key))["n"] == 1


async def listed(store, where):
    page = await store.newest(Index.STATUS, where, limit=1000)
    return {Key(pk=item["pk"], sk=item["sk"]): item for item in page.items}


async def test_of_many_acquires_at_once_one_wins(store):
    made = record()
    await store.write(protocol.create(made))
    outcomes = await asyncio.gather(*(store.write(acquire(made, token=f"t{n}")) for n in range(16)))
    assert sum(isinstance(o, Applied) for o in outcomes) == 1


async def test_several_elements_leave_a_set_in_one_write(store):
    key = fresh_key()
    made = (Set("s", frozenset({1, 2, 3})),)
    await store.write(Write(key=key, when=(Absent(),), changes=made))
    both = Write(key=key, when=(Has("s", 1), Has("s", 3)), changes=(Drop("s", 1), Drop("s", 3)))
    assert (await store.write(both)).item["s"] == frozenset({2})
    assert isinstance(await store.write(both), Refused)


@pytest.mark.parametrize(
    ("elements", "expected"),
    [
        pytest.param({1, 2}, True, id="the-same"),
        pytest.param({1}, False, id="fewer"),
        pytest.param({1, 2, 3}, False, id="more"),
    ],
)
async def test_whole_sets_are_compared(store, elements, expected):
    key = fresh_key()
    await store.write(Write(key=key, when=(Absent(),), changes=SETS))
    write = Write(key=key, when=(Eq("s", frozenset(elements)),), changes=(Set("hit", 1),))
    assert isinstance(await store.write(write), Applied) is expected


async def test_a_transaction_does_all_or_nothing_and_says_why(store):
    made = record(lease_until_ms=NOW + 1)
    await store.write(protocol.create(made))
    for lease, name, held, added in (
        (lease_of(made, v=made.v), "one", Applied, Applied),
        (lease_of(made, v="zombie"), "two", Refused, Applied),
        (lease_of(made, v=made.v), "one", Applied, Refused),
    ):
        writes = protocol.record_step(
            lease, name, Payload(inline=f'"{lease.v}"'), at=Place(position=3, alone=True), ttl_s=NOW
        )
        outcomes = await store.transact(writes)
        assert [type(o) for o in outcomes] == [held, added]
        refused = [o.item for o in outcomes if isinstance(o, Refused)]
        assert all(item is not None for item in refused)
    steps = await store.read_group(made.key.pk, after_sk="step#")
    steps = [item for item in steps if item["sk"].startswith("step#")]
    assert [(s["sk"], s["outcome"], s["position"], s["alone"]) for s in steps] == [
        ("step#one", f'"{made.v}"', 3, True)
    ]
    assert await stored(store, made.task_id) == made


async def test_transactions_on_one_task_side_by_side_all_get_through(store):
    made = record()
    await store.write(protocol.create(made))
    outcomes = await asyncio.gather(
        *(
            store.transact(
                protocol.record_step(
                    lease_of(made, v=made.v),
                    f"s{n}",
                    Payload(inline="1"),
                    at=Place(position=n, alone=False),
                    ttl_s=NOW,
                )
            )
            for n in range(4)
        )
    )
    assert all(isinstance(o, Applied) for pair in outcomes for o in pair)


async def test_a_whole_wait_means_the_same_everywhere(store):
    """Plan, count, fire; then ask and answer: the record as each store shows it."""
    made = record()
    await store.write(protocol.create(made))
    await store.write(acquire(made))
    lease = lease_of(made, v="mine")
    plan = protocol.plan(lease, waits="[]", first=0, count=3, now_ms=NOW, due_at_ms=NOW + 5)
    planned = TaskRecord.from_item((await store.write(plan)).item)
    assert (planned.phase, planned.pending, planned.planned) == (
        Phase.WAITING,
        frozenset({0, 1, 2}),
        3,
    )
    for refused in (
        acquire(made, expected="mine", now=NOW + 9999),
        protocol.fire(made, v="x", now_ms=NOW, due_at_ms=NOW),
        protocol.renew(lease, lease_until_ms=NOW + 9999),
    ):
        assert isinstance(await store.write(refused), Refused)
    assert isinstance(await store.write(protocol.count(made.key, [0, 2])), Applied)
    assert isinstance(await store.write(protocol.count(made.key, [2])), Refused)
    last = await store.write(protocol.count(made.key, [1]))
    assert TaskRecord.from_item(last.item).pending == frozenset()
    fire = protocol.fire(made, v="fresh", now_ms=NOW, due_at_ms=NOW + 7)
    fired = TaskRecord.from_item((await store.write(fire)).item)
    assert (fired.phase, fired.v, fired.attempt) == (Phase.CHILDREN_DONE, "fresh", 0)
    assert isinstance(await store.write(fire), Refused)
    await store.write(acquire(made, expected="fresh", token="again"))
    asks = {k: {"number": n, "message": k, "schema": {}} for n, k in enumerate("ab")}
    lease = lease_of(made, v="again")
    ask = protocol.ask(lease, waits="[]", asks=asks, now_ms=NOW, due_at_ms=None)
    asked = TaskRecord.from_item((await store.write(ask)).item)
    assert (asked.status, asked.asks, asked.due_at_ms) == (Status.INPUT_REQUIRED, asks, None)
    given = {"v": "new", "now_ms": NOW, "due_at_ms": NOW + 1, "due_still_ms": None}
    first = await store.write(protocol.answer(asked, {"a": {"value": 1}}, **given))
    half = TaskRecord.from_item(first.item)
    assert (half.status, list(half.asks), half.v) == (Status.INPUT_REQUIRED, ["b"], "again")
    assert isinstance(
        await store.write(protocol.answer(asked, {"b": {"value": 2}}, **given)), Refused
    )
    second = await store.write(protocol.answer(half, {"b": {"value": 2.5}}, **given))
    done = TaskRecord.from_item(second.item)
    assert (done.status, done.v, done.asks) == (Status.WORKING, "new", {})
    assert done.answers == {"a": {"value": 1}, "b": {"value": 2.5}}
    await store.write(acquire(made, expected="new", token="sleepy"))
    sleep = protocol.sleep(
        lease_of(made, v="sleepy"), waits="[]", wake_at_ms=NOW + 9, now_ms=NOW, due_at_ms=NOW + 9
    )
    asleep = TaskRecord.from_item((await store.write(sleep)).item)
    assert (asleep.phase, asleep.wake_at_ms) == (Phase.SLEEPING, NOW + 9)
    assert isinstance(await store.write(acquire(made, expected="sleepy", now=NOW + 99)), Refused)
    wake = protocol.wake(asleep, v="awake", now_ms=NOW, due_at_ms=NOW)
    awake = TaskRecord.from_item((await store.write(wake)).item)
    assert (awake.phase, awake.wake_at_ms, awake.v) == (Phase.RUN, None, "awake")
    assert isinstance(await store.write(wake), Refused)


async def test_what_is_sent_is_kept_and_waited_for_by_who_knows_how_much_there_was(store):
    made = record()
    await store.write(protocol.create(made))
    given = {"v": "new", "now_ms": NOW, "due_at_ms": NOW + 1, "due_still_ms": None}
    early = await store.write(protocol.answer(made, {"#go": {"value": 1}}, **given))
    kept = TaskRecord.from_item(early.item)
    assert (kept.v, kept.given, kept.answers) == (made.v, 1, {"#go": {"value": 1}})
    repeated = await store.write(protocol.answer(made, {"#go": {"value": 2}}, **given))
    assert isinstance(repeated, Refused)
    await store.write(acquire(made, token="again"))
    lease = lease_of(made, v="again")
    wait = {"waits": "[]", "now_ms": NOW}
    asks = {"#go#2": {"number": 0, "schema": {}}}
    for overlooks in (
        protocol.ask(lease, asks=asks, given=0, due_at_ms=None, **wait),
        protocol.receive(lease, given=2, v="fresh", due_at_ms=NOW, **wait),
    ):
        assert isinstance(await store.write(overlooks), Refused)
    waits = await store.write(protocol.ask(lease, asks=asks, given=1, due_at_ms=None, **wait))
    waiting = TaskRecord.from_item(waits.item)
    assert (waiting.status, waiting.phase) == (Status.WORKING, Phase.RECEIVING)
    assert (waiting.asks, list(waiting.receives)) == ({}, ["#go#2"])
    taken = await store.write(acquire(made, expected="again", now=NOW + 9999))
    assert isinstance(taken, Refused)
    came = await store.write(protocol.answer(waiting, {"#go#2": {"value": 2}}, **given))
    going = TaskRecord.from_item(came.item)
    assert (going.phase, going.v, going.receives, going.given) == (Phase.RUN, "new", {}, 2)
    await store.write(acquire(made, expected="new", token="third"))
    lease = lease_of(made, v="third")
    shown = await store.write(protocol.expose(lease, state="[1]", now_ms=NOW))
    assert TaskRecord.from_item(shown.item).exposed == [1]
    goes_on = protocol.receive(lease, given=2, v="fresh", due_at_ms=NOW + 3, **wait)
    again = TaskRecord.from_item((await store.write(goes_on)).item)
    assert (again.phase, again.v, again.attempt, again.due_at_ms) == (
        Phase.RUN,
        "fresh",
        0,
        NOW + 3,
    )
    assert isinstance(await store.write(goes_on), Refused)
