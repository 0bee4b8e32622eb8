"""Stages of more agents than one stack takes, on an emulator."""

import sys
from dataclasses import replace

import pytest
from infra_specs import spec
from test_deploy import Stage

from sqswarm import Swarm
from sqswarm.infra.deploy import stacks_of
from sqswarm.infra.deployment.look_ahead import look_ahead
from sqswarm.infra.deployment.record import RECORD_KEY, read_object, read_record, write_object
from sqswarm.infra.destroy import destroy
from sqswarm.infra.template import parts
from sqswarm.schemas.errors import DeployFailed
from sqswarm.schemas.json import dumps, loads

pytestmark = [pytest.mark.localstack, pytest.mark.proof]

AGENTS = """
from sqswarm import agent
def one(text: str) -> str:
    return text
for n in range(120):
    globals()[f"a{n:03}"] = agent(name=f"a{n:03}")(one)
"""


@pytest.fixture
def stage(emulator, tmp_path):
    (tmp_path / "many_agents.py").write_text(AGENTS)
    sys.path.insert(0, str(tmp_path))
    place = Stage(emulator.endpoint_url, "many", tmp_path)
    place.project = replace(place.project, modules=("many_agents",))
    yield place
    destroy(place.settings)
    assert place.queues() == set()
    assert [*stacks_of(place.settings, place.names, place.clients).standing()] == []
    sys.path.remove(str(tmp_path))
    sys.modules.pop("many_agents", None)


def agents(*numbers, **options):
    return [spec(f"a{n:03}", **options) for n in numbers]


def queue_ages(stage):
    """When each queue was made, and an event source's and a subscription's id with it."""
    sqs = stage.clients("sqs")
    found = {}
    for url in sqs.list_queues(QueueNamePrefix=f"{stage.names.stack}-")["QueueUrls"]:
        asked = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["CreatedTimestamp"])
        found[url] = asked["Attributes"]["CreatedTimestamp"]
    mappings = stage.listed("lambda", "list_event_source_mappings", "EventSourceMappings")
    of_stage = (m for m in mappings if f":{stage.names.stack}-" in m["EventSourceArn"])
    return found | {m["EventSourceArn"]: m["UUID"] for m in of_stage}


def answered(stage, name):
    with Swarm.connect(stage.settings) as swarm:
        return swarm.submit(name, text="here").result(timeout=120)


def places(stage):
    return read_record(stage.clients("s3"), stage.names.bucket).places


def forget_places(stage):
    """Leave the record as it was before stages had several stacks."""
    s3, bucket = stage.clients("s3"), stage.names.bucket
    told = loads(read_object(s3, bucket, RECORD_KEY))
    write_object(s3, bucket, RECORD_KEY, dumps({**told, "places": [], "parts": []}).encode())


def test_a_stage_grows_into_a_second_stack_and_back(stage, monkeypatch):
    monkeypatch.setattr(parts, "RESOURCE_LIMIT", 60)
    monkeypatch.setattr(parts, "ROOM", 48)
    stage.deploy(*agents(4, 5))
    assert places(stage) == (("a004", "a005"),)
    before = queue_ages(stage)
    forget_places(stage)
    seen = look_ahead(stage.settings, stage.plan(*agents(1, 2, 3, 4, 5)))
    assert not [one for one in seen.resources if one.replaced or one.kind == "removed"]
    stage.deploy(*agents(1, 2, 3, 4, 5))
    assert places(stage) == (("a004", "a005"), ("a001", "a002", "a003"))
    assert stage.drifts(*agents(1, 2, 3, 4, 5)) == []
    after = queue_ages(stage)
    assert {key: after[key] for key in before} == before
    assert [answered(stage, name) for name in ("a004", "a001")] == ["here", "here"]
    assert not look_ahead(stage.settings, stage.plan(*agents(1, 2, 3, 4, 5))).resources
    done = stage.deploy(*agents(1, 2, 3, 4, 5))
    assert not done.changed

    # What fails in the second stack is taken back in both.
    stage.clients("sqs").create_queue(
        QueueName=f"{stage.names.stack}-a006", Attributes={"DelaySeconds": "7"}
    )
    with pytest.raises(DeployFailed):
        stage.deploy(*agents(1, 2, 3, 4, 5, 6))
    assert answered(stage, "a004") == "here"
    assert {key: queue_ages(stage)[key] for key in after} == after

    stage.deploy(*agents(4, 5))
    assert places(stage) == (("a004", "a005"),)
    assert stage.functions() == {"a004", "a005", "housekeeping"}
    assert {key: queue_ages(stage)[key] for key in before} == before


def test_a_hundred_agents_are_deployed_and_work(stage):
    hundred = agents(*range(100))
    stage.deploy(*hundred)
    assert len(places(stage)) == 3
    assert stage.drifts(*hundred) == []
    assert len(stage.functions()) == 101
    for name in ("a000", "a050", "a099"):
        assert answered(stage, name) == "here"
    before = {key: made for key, made in queue_ages(stage).items() if "a000" not in key}
    stage.deploy(*hundred[1:], *agents(100))
    assert before.items() <= queue_ages(stage).items()
    assert answered(stage, "a100") == "here"
