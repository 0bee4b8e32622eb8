"""Activity items: what a batch's entries come back as, and how much room they take."""

from secrets import randbits

import pytest

from sqswarm.schemas.activity import Began, Ended, activity_write, entries_of, marks, moment
from sqswarm.schemas.ids import new_task_id, new_version
from sqswarm.schemas.lifecycle import Status
from sqswarm.schemas.writes import Set, applied

NOW = 1_800_000_000_000
UNIT = 1024


def ended(**changes):
    fields = {
        "task_id": new_task_id(NOW, randbits),
        "principal": "arn:aws:iam::123456789012:user/somebody",
        "status": Status.FAILED,
        "error_type": "ConnectionResetError",
        "at_ms": NOW + 123_456,
        "wait_ms": 86_400_000,
        "run_ms": 900_000,
        "attempt": 3,
    }
    return Ended(**{**fields, **changes})


def began(**changes):
    fields = {"task_id": new_task_id(NOW, randbits), "principal": "me", "at_ms": NOW}
    return Began(**{**fields, **changes})


def item_of(entries):
    write = activity_write(
        "an-agent-of-some-name",
        entries,
        at_ms=NOW,
        random=new_version(randbits),
        expires_s=NOW // 1000,
    )
    return applied(write, None)


def size_of(item):
    return sum(len(str(part).encode()) for pair in item.items() for part in pair)


def test_entries_come_back_as_they_were_in_their_order():
    entries = [
        began(at_ms=NOW - 5),
        ended(tags={"tenant": "acme"}),
        ended(error_type=None, status=Status.COMPLETED),
        began(),
    ]
    assert entries_of(item_of(entries)) == entries


@pytest.mark.parametrize(
    "entries",
    [
        pytest.param([began(principal=f"{n}" * 500) for n in range(10)], id="long-principals"),
        pytest.param([ended(error_type="E" * 200) for _ in range(10)], id="long-errors"),
        pytest.param(
            [
                ended(principal=f"arn:aws:iam::123456789012:user/u{n}", error_type=f"Error{n}")
                for n in range(10)
            ],
            id="ten-of-everything",
        ),
        pytest.param(
            [ended(tags={f"k{n}{i}": "v" * 256 for i in range(10)}) for n in range(10)], id="tags"
        ),
    ],
)
def test_what_a_batch_of_ten_tells_takes_one_write_unit(entries):
    item = item_of(entries)
    assert size_of(item) <= UNIT
    assert [one.task_id for one in entries_of(item)] == [one.task_id for one in entries]


def test_a_long_principal_is_known_by_its_mark():
    one, other = "x" * 500, "x" * 499 + "y"
    [entry] = entries_of(item_of([began(principal=one)]))
    assert entry.principal in marks(one)
    assert not marks(one) & marks(other)
    assert marks("me") == {"me"}


def test_items_sort_by_time_as_text():
    assert moment(999) < moment(1000) < moment(NOW, "a") < moment(NOW + 1)


def test_the_insert_makes_an_item_that_is_forgotten_with_its_tasks():
    write = activity_write("a", [began()], at_ms=NOW, random="r", expires_s=7)
    assert write.inserts
    assert Set("ttl", 7) in write.changes
