"""What a deployment would change, of plans that are at hand."""

from collections.abc import Mapping
from dataclasses import replace

import pytest
from pydantic import BaseModel

from sqswarm import TaskContext, agent
from sqswarm.infra.cli.diff import agree
from sqswarm.infra.deployment.difference import Left, difference, with_left
from sqswarm.infra.plan import plan_of
from sqswarm.infra.project import Project
from sqswarm.schemas.errors import UsageError
from sqswarm.schemas.json import loads


class Found(BaseModel):
    word: str
    number: int = 0


class Less(BaseModel):
    word: str | None = None


async def search(text: str, top: int = 10) -> Found: ...


async def search_more(text: str, where: str) -> Less: ...


async def calls(n: int, *, ctx: TaskContext) -> int: ...


def plan(*specs, tmp_path, paused=()):
    project = Project(root=tmp_path, pythonpath=(), modules=("m",))
    return plan_of({one.name: one for one in specs}, project, stage="dev").as_deployed(
        paused=paused
    )


def spec(function, **options):
    return agent(**{"calls": [], **options})(function).spec


@pytest.fixture
def seen(tmp_path):
    """Compare what one list of agents would become as another."""

    def compare(old, new, *, code_changed=False):
        before = None if old is None else plan(*old, tmp_path=tmp_path)
        after = plan(*new, tmp_path=tmp_path)
        return difference(
            old=before and before.catalogue,
            new=after.catalogue,
            old_template=before and loads(before.template),
            new_template=loads(after.template),
            code_changed=code_changed,
        )

    return compare


def named(function, name, **options):
    return replace(spec(function, **options), name=name)


def test_what_is_alike_has_no_difference(seen):
    assert not seen([spec(search)], [spec(search)])
    assert seen([spec(search)], [spec(search)], code_changed=True)


def test_a_new_stage_has_nothing_at_stake(seen):
    found = seen(None, [spec(search)])
    assert found.first
    assert found.at_stake == ()
    assert {one.kind for one in found.resources} == {"added"}


def test_agents_come_change_and_go(seen):
    found = seen([spec(search), spec(calls)], [spec(search, timeout=99), named(search, "other")])
    assert [(one.kind, one.agent) for one in found.agents] == [
        ("removed", "calls"),
        ("added", "other"),
        ("changed", "search"),
    ]
    assert "timeout: 30, now 99" in found.agents[2].what
    assert found.agents[2].breaks == ()


def test_schemas_that_break_callers_are_marked(seen):
    narrowed = named(search_more, "search")
    (change,) = seen([spec(search)], [narrowed]).agents
    assert set(change.breaks) == {
        "the argument top is refused",
        "the argument where is required",
        "the result has no number any more",
        "the result may lack word",
        "the result's word has another type: string, now string or null",
    }
    (back,) = seen([narrowed], [spec(search)]).agents
    assert set(back.breaks) == {
        "the argument where is refused",
        "the result's word has another type: string or null, now string",
    }


def test_access_that_grows_is_at_stake_and_access_that_shrinks_is_not(seen):
    alone, calling = [spec(search), spec(calls)], [spec(search), spec(calls, calls=["search"])]
    grown = seen(alone, calling)
    assert any("sqs:SendMessage on" in one and "search" in one for one in grown.widened)
    assert all(one.startswith("more access: ") for one in grown.at_stake)
    assert grown.at_stake
    assert seen(calling, alone).at_stake == ()


def test_a_queue_that_is_made_anew_loses_what_it_holds(seen):
    found = seen([spec(search)], [spec(search, ordered=True)])
    lost = [one for one in found.resources if one.replaced and one.loses]
    assert lost
    assert {one.type for one in lost} == {"AWS::SQS::Queue"}
    assert any("what it holds is lost" in one for one in found.at_stake)


def test_what_a_removed_agent_leaves_is_at_stake(seen):
    gone = seen([spec(search), spec(calls)], [spec(search)])
    assert gone.at_stake == ()
    left = with_left(gone, {"calls": Left(tasks=2, messages=1, dead_letters=1)})
    assert left.at_stake == (
        "calls is removed: 2 tasks under way, 1 message in its queue, 1 dead letter stay behind",
    )
    assert left.to_json()["agents"][0]["left"] == {"tasks": 2, "messages": 1, "deadLetters": 1}
    assert str(Left(tasks=1000, more=True)) == "more than 1,000 tasks under way"
    assert str(Left(dead_letters=2, records=1234)) == (
        "2 dead letters, about 1,234 records, stored results among them"
    )
    assert not Left(records=0)


def test_whoever_cannot_be_asked_has_to_agree_beforehand_on_aws(seen, monkeypatch):
    monkeypatch.setattr("sys.stdin.isatty", lambda: False)
    grown = seen([spec(search), spec(calls)], [spec(search), spec(calls, calls=["search"])])
    with pytest.raises(UsageError, match="more access") as refused:
        agree(grown, local=False, yes=False)
    assert "--yes" in refused.value.hint
    agree(grown, local=False, yes=True)
    agree(grown, local=True, yes=False)
    agree(seen([spec(search)], [spec(search, timeout=99)]), local=False, yes=False)


def test_what_an_idle_stage_costs_grows_with_its_agents(seen):
    found = seen([spec(search)], [spec(search), spec(calls)])
    assert 3 < found.was_idle_usd < found.idle_usd < 10
    assert isinstance(found.to_json(), Mapping)
