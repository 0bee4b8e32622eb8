"""Identifiers: sortable, unguessable, and the same again where they are derived."""

import uuid
from secrets import randbits

import pytest
from hypothesis import given
from hypothesis import strategies as st

from sqswarm.schemas.ids import (
    adopted_task_id,
    begins_trace,
    created_ms,
    derive_task_id,
    event_task_id,
    is_recorded_first,
    is_task_id,
    is_traceparent,
    is_undecided,
    new_task_id,
    new_traceparent,
    span_id_of,
    traceparent_of_task,
    traceparent_of_xray,
    within_task,
)

times = st.integers(min_value=0, max_value=2**48 - 1)


@given(times)
def test_a_task_id_is_a_uuid7_that_knows_its_time(ms):
    task_id = new_task_id(ms, randbits)
    assert is_task_id(task_id)
    assert uuid.UUID(task_id).version == 7
    assert uuid.UUID(task_id).variant == uuid.RFC_4122
    assert created_ms(task_id) == ms


@given(times, times)
def test_task_ids_sort_by_time(first, second):
    if first < second:
        assert new_task_id(first, randbits) < new_task_id(second, randbits)


@given(st.text(), st.text(), times)
def test_a_derived_id_is_the_same_again_and_another_for_another_key(origin, key, ms):
    one = derive_task_id(origin, key, at_ms=ms)
    assert one == derive_task_id(origin, key, at_ms=ms)
    assert is_task_id(one)
    assert one != derive_task_id(origin, key + "x", at_ms=ms)


def test_two_fresh_ids_differ():
    assert len({new_task_id(0, randbits) for _ in range(1000)}) == 1000


def test_another_systems_uuid_becomes_one_task_id_for_each_name():
    given = "6a7e8feb-b491-4cf7-a9f1-bf3703467718"
    adopted = adopted_task_id(given, "echo")
    assert is_task_id(adopted)
    assert adopted_task_id(given, "echo") == adopted
    assert adopted_task_id(given, "add") != adopted
    ours = new_task_id(1_700_000_000_000, randbits)
    assert adopted_task_id(ours, "echo") == ours
    for no_uuid in ("", "seven", given.upper(), given + "0", given + "\n", ours + "\n"):
        assert adopted_task_id(no_uuid, "echo") is None


def test_only_an_id_whose_record_is_made_first_says_so():
    """A message alone may bring a fresh id, an event's, or another system's: never such a one."""
    fresh = new_task_id(1, randbits)
    assert is_recorded_first(derive_task_id(fresh, "key", at_ms=1))
    for bare in (fresh, event_task_id(fresh, "echo"), adopted_task_id(str(uuid.uuid4()), "echo")):
        assert not is_recorded_first(bare)


def test_a_trace_context_that_is_none_is_not_continued():
    for garbage in (None, "", "a-b-c-d", "00-" + "a" * 32 + "-" + "b" * 16 + "-01\n"):
        assert is_traceparent(within_task(garbage, "task"))
    given = new_traceparent(randbits)
    assert within_task(given, "task").split("-")[1] == given.split("-")[1]


@given(st.text())
def test_a_trace_that_begins_with_a_task_says_so_as_long_as_it_lasts(task_id):
    for begun in (new_traceparent(randbits), traceparent_of_task(task_id)):
        assert is_traceparent(begun)
        assert begins_trace(begun)
        child = within_task(begun, task_id)
        assert is_undecided(child)
        assert not begins_trace(child)
        assert child[36:52] == span_id_of(task_id)
    theirs = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01"
    assert not is_undecided(theirs)
    assert not begins_trace(theirs)
    assert traceparent_of_task(task_id) == traceparent_of_task(task_id)


@pytest.mark.parametrize(
    ("header", "expected"),
    [
        pytest.param(
            "Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Sampled=1",
            "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-01",
            id="sampled",
        ),
        pytest.param(
            "A=1-6; Root=1-5759e988-bd862e3fe1be46a994272793;Parent=53995c3f42cd8ad8;Lineage=a",
            "00-5759e988bd862e3fe1be46a994272793-53995c3f42cd8ad8-00",
            id="not-sampled",
        ),
        pytest.param("Root=1-5759e988-bd862e3fe1be46a994272793", None, id="no-parent"),
        pytest.param("Root=2-x;Parent=53995c3f42cd8ad8", None, id="no-root"),
        pytest.param("", None, id="empty"),
    ],
)
def test_a_trace_header_of_xray_is_a_trace_context(header, expected):
    assert traceparent_of_xray(header) == expected
