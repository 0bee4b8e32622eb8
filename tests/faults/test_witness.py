"""The witness and the audit themselves: they tell what was written, and they can fail."""

import json
import random
from collections import Counter
from dataclasses import replace
from secrets import randbits

import pytest
from benchmarks.faults.call import Call
from benchmarks.faults.rules import STANDARD, Fault, Rule
from benchmarks.faults.witness import Granted, Witness
from benchmarks.soak.agents import AGENTS
from benchmarks.soak.audit import Evidence, audit
from benchmarks.soak.counts import sums_of
from benchmarks.soak.inspector import DeadLetter
from benchmarks.soak.order import PROFILES, Order, Row, draw

from sqswarm.backends.aws.expressions import statement_of, transaction_entry, update_of
from sqswarm.schemas import protocol
from sqswarm.schemas.agent_spec import Durability
from sqswarm.schemas.ids import new_task_id
from sqswarm.schemas.journal import Place
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.payload import Payload
from sqswarm.schemas.protocol import Ending, Lease
from sqswarm.schemas.results import error_object
from sqswarm.schemas.task import TaskRecord
from sqswarm.workers.metrics import emf_line

ID = new_task_id(1, randbits)
LEASE = Lease(
    agent="standard",
    task_id=ID,
    v="mine",
    attempt=1,
    until_ms=5,
    durability=Durability.STANDARD,
)
DONE = Ending(result=Payload(inline='{"result":3}'), wrapped=True)
FAILED = Ending(error=error_object("KeyError", "x", attempt=1))
RECORD = TaskRecord(
    task_id=ID,
    agent="standard",
    principal="me",
    status=Status.WORKING,
    v="mine",
    durability=Durability.STANDARD,
    created_ms=1,
    updated_ms=1,
)


def dynamodb(operation, body):
    return Call(service="dynamodb", operation=operation, body=json.dumps(body).encode())


def settle(ending=DONE):
    return protocol.settle(LEASE, ending, now_ms=2, expires_s=3, owes=False)


def told(*answers):
    return json.dumps({"Responses": list(answers)}).encode()


def test_it_counts_what_was_accepted_in_each_of_the_store_s_languages():
    witness = Witness()
    update = dynamodb("UpdateItem", update_of(settle()))
    witness.saw(update, 400, b"{}")
    assert not witness.endings
    witness.saw(update, 200, b"{}")
    lean = protocol.settle_lean(RECORD, DONE, now_ms=2, expires_s=3)
    acquire = protocol.acquire_new(RECORD, token="t", lease_until_ms=9)
    statements = [statement_of(write, "table") for write in (settle(), lean, acquire, settle())]
    witness.saw(
        dynamodb("BatchExecuteStatement", {"Statements": statements}),
        200,
        told({}, {}, {}, {"Error": {"Code": "ConditionalCheckFailed"}}),
    )
    assert witness.endings[ID] == ["completed"] * 3
    assert [*witness.leases[ID]] == ["mine", "t"]


def test_it_takes_a_transaction_that_the_sdk_repeats_for_one():
    witness = Witness()
    place = Place(position=0, alone=True)
    writes = protocol.record_step(LEASE, "s", Payload(inline="{}"), at=place, ttl_s=1)
    items = [transaction_entry(write, "table") for write in writes]
    for token in ("a", "a", "b"):
        body = {"TransactItems": items, "ClientRequestToken": token}
        witness.saw(dynamodb("TransactWriteItems", body), 200, b"{}")
    assert [*witness.steps.values()] == [2]


REFUSED = json.dumps({"__type": "x#ConditionalCheckFailedException"}).encode()


def acquire(*, after, token):
    return protocol.acquire(
        LEASE.key, expected=after, max_attempts=4, token=token, now_ms=1, lease_until_ms=9
    )


def release():
    return protocol.release(LEASE, now_ms=1, message="attempt 1: KeyError: x")


def sleep():
    return protocol.sleep(LEASE, waits="[]", wake_at_ms=5, now_ms=1, due_at_ms=5)


def ask():
    return protocol.ask(LEASE, waits="[]", asks={}, now_ms=1, due_at_ms=5, given=2)


@pytest.mark.parametrize(
    ("write", "ended"),
    [
        pytest.param(settle(), "settled", id="a-result"),
        pytest.param(settle(FAILED), "settled", id="a-failure"),
        pytest.param(sleep(), "parked", id="a-wait"),
        pytest.param(ask(), "parked", id="a-question"),
        pytest.param(release(), "released", id="a-failed-attempt"),
        pytest.param(protocol.hand_back(LEASE, now_ms=1), "released", id="a-stopped-worker"),
        pytest.param(protocol.renew(LEASE, lease_until_ms=20), "", id="a-heartbeat"),
    ],
)
@pytest.mark.parametrize("batch", [True, False])
def test_it_knows_how_each_lease_ended(write, ended, batch):
    witness = Witness()
    for wanted in (acquire(after="old", token="mine"), write):
        statement = statement_of(wanted, "table") if batch else None
        if statement is None:
            witness.saw(dynamodb("UpdateItem", update_of(wanted)), 200, b"{}")
        else:
            body = {"Statements": [statement]}
            witness.saw(dynamodb("BatchExecuteStatement", body), 200, told({}))
    [lease] = witness.leases[ID].values()
    assert (lease.after, lease.length_ms, lease.ended) == ("old", 8, ended)
    assert lease.until_ms == (20 if write.changes[0].value == 20 else 9)
    assert witness.lost(ID) == (ended not in {"settled", "parked"})


def test_it_knows_a_worker_that_came_too_late_and_nobody_else():
    witness = Witness()
    others = [
        acquire(after="mine", token="theirs"),
        protocol.fail_exhausted(RECORD, error={}, now_ms=1, expires_s=1, owes=False),
        protocol.republish(replace(RECORD, due_at_ms=1), due_at_ms=5),
        protocol.mark_due(RECORD, due_at_ms=1),
    ]
    for write in others:
        witness.saw(dynamodb("UpdateItem", update_of(write)), 400, REFUSED)
    assert not witness.leases[ID]
    place = Place(position=0, alone=True)
    fence, step = protocol.record_step(LEASE, "s", Payload(inline="{}"), at=place, ttl_s=1)
    items = [transaction_entry(write, "table") for write in (fence, step)]
    reasons = [{"Code": "ConditionalCheckFailed"}, {"Code": "None"}]
    answer = {"__type": "x#TransactionCanceledException", "CancellationReasons": reasons}
    body = {"TransactItems": items, "ClientRequestToken": "t"}
    witness.saw(dynamodb("TransactWriteItems", body), 400, json.dumps(answer).encode())
    assert witness.leases[ID]["mine"].refused
    assert not witness.steps


def run(v, at=1.0, process="1-1", task=ID):
    return {"what": "run", "task": task, "process": process, "at": at, "v": v}


LEASE_MS = 1000 * AGENTS["standard"].spec.lease_s


def evidence(**changes):
    """Return the evidence of one task that completed as it should, changed."""
    ended = replace(RECORD, status=Status.COMPLETED, result=DONE.result, wrapped=True)
    witness = Witness()
    witness.endings[ID] = ["completed"]
    witness.leases[ID] = {"mine": Granted(v="mine", length_ms=LEASE_MS, ended="settled")}
    row = Row(number=0, agent="standard", arguments={"n": 0})
    kept = Evidence(
        order=Order(rows=(row,)),
        expected={0: ID},
        handles={0: ID},
        records={ID: ended},
        witness=witness,
        notes=[run("mine")],
        died={},
        letters=[],
        left={},
        due=[],
        problems=[],
        seconds=1.0,
        dispatchers_killed=0,
        killed_from_outside=0,
        counted=counts(Started=1, Completed=1),
    )
    return replace(kept, **changes)


def counts(agent="standard", **sums):
    return {agent: Counter(sums)}


def doubled():
    witness = Witness()
    witness.endings[ID] = ["completed", "failed"]
    return witness


def joined_twice():
    witness = Witness()
    witness.phases[ID].update(waiting=1, children_done=2)
    return witness


def leased(**first):
    """Return a witness of two leases: the second was taken at 5 s, the first is as told."""
    witness = Witness()
    witness.endings[ID] = ["completed"]
    given = {"length_ms": LEASE_MS, "at_ms": 1_000, "until_ms": 5_000, **first}
    witness.leases[ID] = {
        "a": Granted(v="a", **given),
        "mine": Granted(v="mine", after="a", at_ms=5_000, length_ms=LEASE_MS, ended="settled"),
    }
    return witness


TWO_RUNS = [run("a"), run("mine", at=20.0, process="2-2")]
CALL = {"what": "gave-up", "params": "{':0': {'S': 'a'}}", "at": 2.0, "process": "1-1"}
LET_GO = {"what": "let-go", "lease": "a", "at": 2.0, "process": "1-1"}
HANGS = {"what": "hang", "task": ID, "process": "1-1", "at": 1.0}


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        pytest.param({"notes": TWO_RUNS}, False, id="nobody-knows"),
        pytest.param({"witness": leased(ended="released")}, True, id="given-back"),
        pytest.param({"witness": leased(refused=True)}, True, id="outlived-its-lease"),
        pytest.param({"notes": [*TWO_RUNS, LET_GO]}, True, id="let-go"),
        pytest.param({"notes": [*TWO_RUNS, CALL]}, True, id="a-call-was-given-up"),
        pytest.param({"died": {"1-1": 900.0}}, True, id="died-and-was-found-late"),
        pytest.param(
            {"notes": [HANGS, *TWO_RUNS], "died": {"1-1": 2.0}}, True, id="killed-while-it-hung"
        ),
        pytest.param({"died": {"2-2": 30.0}}, False, id="another-process-died"),
        pytest.param(
            {"notes": [*TWO_RUNS, run("x", at=21.0, task="y")], "died": {"1-1": 30.0}},
            False,
            id="died-much-later",
        ),
    ],
)
def test_a_second_execution_is_explained_by_what_is_on_record_of_the_first(changes, kept):
    seen = evidence(**{"witness": leased(), "notes": TWO_RUNS, **changes})
    assert audit(seen).kept is kept, audit(seen).breaches


FAILED = replace(RECORD, status=Status.FAILED, error={"message": "m", "data": {"type": "KeyError"}})


def test_an_audit_of_what_went_well_finds_nothing():
    verdict = audit(evidence())
    assert verdict.kept, verdict.breaches
    assert str(verdict) == "soak: submitted=1 completed=1 failed=0 lost=0 doubled=0 stuck=0"


@pytest.mark.parametrize(
    ("changes", "found"),
    [
        pytest.param({"records": {}}, "lost", id="a-handle-of-nothing"),
        pytest.param({"expected": {}}, "lost", id="a-row-nobody-submitted"),
        pytest.param({"witness": doubled()}, "doubled", id="two-results"),
        pytest.param({"records": {ID: RECORD}}, "stuck", id="no-end"),
    ],
)
def test_an_audit_counts_what_is_lost_doubled_or_stuck(changes, found):
    verdict = audit(evidence(**changes))
    assert getattr(verdict, found) == 1
    assert not verdict.kept


CHILD = new_task_id(2, randbits)


@pytest.mark.parametrize(("acquired", "kept"), [(4, True), (3, False)])
def test_a_parent_may_fail_by_a_child_that_was_lost_on_every_attempt(acquired, kept):
    def error(kind):
        return {"message": "m", "data": {"type": kind}}

    lost = replace(FAILED, task_id=CHILD, agent="kept", parent=f"{ID}#0", error=error("WorkerLost"))
    seen = evidence(
        order=Order(rows=(Row(number=0, agent="fan", arguments={"n": 0}),)),
        records={ID: replace(FAILED, agent="fan", error=error("ChildFailed")), CHILD: lost},
    )
    for n in range(acquired):
        seen.witness.leases[CHILD][str(n)] = Granted(v=str(n))
    broken = {breach.law for breach in audit(seen).breaches}
    assert ("results-are-right" not in broken) is kept


@pytest.mark.parametrize(
    ("changes", "law"),
    [
        pytest.param(
            {"order": Order(rows=(Row(number=0, agent="standard", arguments={"n": 1}),))},
            "results-are-right",
            id="another-result",
        ),
        pytest.param({"records": {ID: FAILED}}, "results-are-right", id="an-unexplained-failure"),
        pytest.param({"records": {ID: FAILED}}, "failures-have-letters", id="no-letter"),
        pytest.param(
            {"notes": [run("a"), run("mine")]}, "executions-are-explained", id="no-lease-no-end"
        ),
        pytest.param({"notes": [run("a"), run("a")]}, "one-run-a-lease", id="one-lease-twice"),
        pytest.param({"witness": leased(until_ms=9_000)}, "leases-are-kept", id="a-theft"),
        pytest.param({"witness": leased(length_ms=1)}, "leases-are-kept", id="a-short-lease"),
        pytest.param(
            {"letters": [DeadLetter(agent="standard", body="x", task_id=None, reason=None)]},
            "letters-have-reasons",
            id="a-letter-without-reason",
        ),
        pytest.param(
            {"order": Order(rows=evidence().order.rows, poison=(("x", None),))},
            "poison-is-put-aside",
            id="poison-gone",
        ),
        pytest.param({"witness": joined_twice()}, "joins-fire-once", id="two-joins"),
        pytest.param({"counted": {}}, "metrics-add-up", id="an-end-in-no-sum"),
        pytest.param(
            {"counted": counts(Completed=2)}, "metrics-add-up", id="an-end-that-is-counted-twice"
        ),
        pytest.param(
            {"counted": counts(Completed=1, Failed=1)}, "metrics-add-up", id="an-end-of-nobody"
        ),
        pytest.param(
            {"counted": {**counts(Completed=1), **counts("plain", Completed=1)}},
            "metrics-add-up",
            id="an-end-of-another-agent",
        ),
        pytest.param(
            {"records": {ID: FAILED}, "counted": counts(Failed=1)},
            "metrics-add-up",
            id="a-failure-of-no-type",
        ),
        pytest.param(
            {"counted": counts(Completed=1, Steps=1)}, "metrics-add-up", id="a-step-of-nobody"
        ),
        pytest.param({"left": {"queue": 1}}, "all-is-quiet", id="a-message-left"),
        pytest.param({"due": [ID]}, "all-is-quiet", id="left-in-the-sweep-index"),
        pytest.param({"problems": ["x"]}, "the-soak-itself", id="the-soak-broke"),
    ],
)
def test_an_audit_names_the_promise_that_was_broken(changes, law):
    verdict = audit(evidence(**changes))
    assert law in {breach.law for breach in verdict.breaches}
    assert not verdict.kept


DIED = {"died": {"1-1": 9.0}, "notes": [run("mine")]}
LATER = [run("mine"), *(run("x", at=2.0 + n, task="y") for n in range(10))]


@pytest.mark.parametrize(
    ("changes", "kept"),
    [
        pytest.param({}, False, id="it-lives"),
        pytest.param(DIED, True, id="it-died-over-its-last-batch"),
        pytest.param({**DIED, "notes": LATER}, False, id="it-died-much-later"),
        pytest.param({"died": {"2-2": 9.0}}, False, id="another-died"),
        pytest.param(
            {"notes": [run("mine"), {**CALL, "params": "'mine'"}]}, True, id="it-had-no-answer"
        ),
        pytest.param({"lines_lost": True}, True, id="the-disk-was-full"),
    ],
)
def test_an_end_may_be_in_no_sum_where_its_worker_could_not_say_it(changes, kept):
    broken = {breach.law for breach in audit(evidence(counted={}, **changes)).breaches}
    assert ("metrics-add-up" not in broken) is kept


def test_sums_are_made_of_the_lines_that_tell_of_metrics():
    line = emf_line("soak", "plain", {"Started": 2, "Completed": 1, "RunTime": [3, 4]}, now_ms=1)
    told = sums_of(["START RequestId: 1", line + "\n", '{"level":"INFO"}', line, line[:-20] + "\0"])
    assert told == counts("plain", Started=4, Completed=2)


def test_the_same_seed_draws_the_same_order_in_the_promised_shares():
    order = draw(10_000, PROFILES["standard"], 3)
    assert order == draw(10_000, PROFILES["standard"], 3)
    what = Counter(row.mischief.partition(":")[0] for row in order.rows)
    assert what["kill"] == pytest.approx(500, rel=0.2)
    assert what["raise"] + what["fail"] == pytest.approx(450, rel=0.2)
    assert what["hang"] == pytest.approx(90, rel=0.4)
    assert sum(row.orphaned for row in order.rows) == 100
    assert len(order.poison) == 50


def test_the_standard_rates_are_five_percent_of_the_calls():
    chance = random.Random(1)
    call = dynamodb("UpdateItem", {})
    drawn = Counter(STANDARD.draw(call, chance) for _ in range(20_000))
    assert 1 - drawn[None] / 20_000 == pytest.approx(0.05, rel=0.1)
    sent = Counter(
        STANDARD.draw(replace(call, operation="PublishBatch"), chance) for _ in range(20_000)
    )
    assert sent[Fault.TWICE] / 20_000 == pytest.approx(0.05, rel=0.15)


def test_a_rule_takes_exactly_the_requests_that_it_names():
    rule = Rule(fault=Fault.LOST, operation="UpdateItem", naming=ID, skip=1, times=2)
    mine = dynamodb("UpdateItem", update_of(settle()))
    other = dynamodb("GetItem", {"id": ID})
    assert [rule.applies(call) for call in (other, mine, mine, other, mine, mine)] == [
        False,
        False,
        True,
        False,
        True,
        False,
    ]
