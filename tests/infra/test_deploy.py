"""Deployments on a real emulator, read back through its APIs."""

import sys
from contextlib import suppress
from dataclasses import replace
from functools import partial

import pytest
from infra_specs import LISTENER, ORDERED, PLAIN, spec

from sqswarm.backends.aws.connect import client_factory
from sqswarm.infra.deploy import Reports, deploy
from sqswarm.infra.deployment.inspect import inspect
from sqswarm.infra.deployment.record import read_record
from sqswarm.infra.destroy import destroy
from sqswarm.infra.plan import plan_of
from sqswarm.infra.project import Project
from sqswarm.schemas.agent_spec import Subscription
from sqswarm.schemas.catalogue import CATALOGUE_KEY, Catalogue
from sqswarm.schemas.errors import DeployFailed, NotDeployed
from sqswarm.schemas.json import dumps, loads
from sqswarm.schemas.naming import Names
from sqswarm.schemas.settings import Settings

pytestmark = pytest.mark.localstack


AGENTS = """
from sqswarm import agent
def one(text: str) -> str:
    return text
for name in ("echo", "licence", "ledger", "added", "taken"):
    globals()[name] = agent(name=name)(one)
"""


class Stage:
    """One stage on the emulator, and what the tests ask about it."""

    def __init__(self, endpoint_url, stage, folder):
        self.settings = Settings(stage=stage, endpoint_url=endpoint_url)
        self.project = Project(root=folder, modules=("deployed_agents",), pythonpath=(folder,))
        self.clients = client_factory(self.settings)
        account = self.clients("sts").get_caller_identity()["Account"]
        self.names = Names(stage=stage, account=account, region=self.settings.region)

    def plan(self, *specs):
        return plan_of({s.name: s for s in specs}, self.project, stage=self.settings.stage)

    def deploy(self, *specs):
        self.events = []
        reports = Reports(resource=self.events.append)
        return deploy(self.settings, self.plan(*specs), reports)

    def drifts(self, *specs):
        topology = self.plan(*specs).topology(self.names)
        return [str(drift) for drift in inspect(topology, self.clients)]

    def queues(self):
        prefix = f"{self.names.stack}-"
        urls = self.clients("sqs").list_queues(QueueNamePrefix=prefix).get("QueueUrls", [])
        return {url.rpartition(prefix)[2] for url in urls}

    def listed(self, service, operation, key):
        """Return what an operation lists, on all its pages: other suites' stages fill several."""
        pages = self.clients(service).get_paginator(operation).paginate()
        return [entry for page in pages for entry in page[key]]

    def functions(self):
        prefix = f"{self.names.stack}-"
        names = [f["FunctionName"] for f in self.listed("lambda", "list_functions", "Functions")]
        return {name.removeprefix(prefix) for name in names if name.startswith(prefix)}

    def catalogue(self):
        body = self.clients("s3").get_object(Bucket=self.names.bucket, Key=CATALOGUE_KEY)["Body"]
        return Catalogue.load(body.read())


@pytest.fixture(scope="module")
def stage(emulator, tmp_path_factory):
    folder = tmp_path_factory.mktemp("project")
    (folder / "deployed_agents.py").write_text(AGENTS)
    sys.path.insert(0, str(folder))
    place = Stage(emulator.endpoint_url, "deploy", folder)
    yield place
    destroy(place.settings)
    sys.path.remove(str(folder))


def test_a_first_deployment_stands_as_declared(stage):
    done = stage.deploy(PLAIN, LISTENER, ORDERED)
    assert done.changed
    assert stage.drifts(PLAIN, LISTENER, ORDERED) == []
    assert stage.functions() == {"echo", "licence", "ledger", "housekeeping"}
    assert [*stage.catalogue().agents] == ["echo", "ledger", "licence"]
    assert [e.resource for e in stage.events if e.failed] == []
    assert {"Table", "EchoQueue", "EchoFunction"} <= {e.resource for e in stage.events}


def test_a_second_deployment_does_not_touch_the_stack(stage):
    stage.deploy(PLAIN, LISTENER, ORDERED)
    done = stage.deploy(PLAIN, LISTENER, ORDERED)
    assert not done.changed
    assert stage.events == []
    assert done.mended == ()


def test_what_was_changed_by_hand_is_mended_without_the_stack(stage):
    stage.deploy(PLAIN, LISTENER, ORDERED)
    sqs = stage.clients("sqs")
    url = sqs.get_queue_url(QueueName=stage.names.queue("echo"))["QueueUrl"]
    sqs.set_queue_attributes(QueueUrl=url, Attributes={"VisibilityTimeout": "1"})
    done = stage.deploy(PLAIN, LISTENER, ORDERED)
    assert not done.changed
    assert any("VisibilityTimeout is '1'" in what for what in done.mended)
    assert stage.drifts(PLAIN, LISTENER, ORDERED) == []


def test_a_variable_of_the_deploying_shell_is_no_drift_in_another_one(stage):
    stage.deploy(PLAIN, LISTENER, ORDERED)
    client, name = stage.clients("lambda"), stage.names.function("echo")
    declared = client.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    handed_on = {**declared, "ANTHROPIC_BASE_URL": "http://127.0.0.1:1"}
    client.update_function_configuration(FunctionName=name, Environment={"Variables": handed_on})
    client.get_waiter("function_updated_v2").wait(FunctionName=name)
    reader = replace(PLAIN, handed_on=("ANTHROPIC_BASE_URL",))
    assert stage.drifts(reader, LISTENER, ORDERED) == []
    assert stage.drifts(PLAIN, LISTENER, ORDERED) != []
    stage.deploy(PLAIN, LISTENER, ORDERED)


def test_new_code_reaches_every_function(stage):
    stage.deploy(PLAIN, LISTENER, ORDERED)

    def code():
        client = stage.clients("lambda")
        name = stage.names.function("echo")
        return client.get_function_configuration(FunctionName=name)["CodeSha256"]

    before = code()
    (stage.project.root / "deployed_agents.py").write_text(f"{AGENTS}X = 2\n")
    assert stage.deploy(PLAIN, LISTENER, ORDERED).changed
    assert code() != before


def test_an_update_adds_changes_and_removes_agents(stage):
    stage.deploy(PLAIN, LISTENER, ORDERED)
    changed = replace(
        PLAIN,
        timeout_s=77,
        batch_size=3,
        concurrency=5,
        memory_mb=512,
        env={"MODE": "fast"},
        permissions=({"Action": ["s3:GetObject"], "Resource": ["arn:aws:s3:::mine/*"]},),
        subscriptions=(Subscription(topic="packages", types=("wheel",)),),
    )
    added = spec("added")
    stage.deploy(changed, added)
    assert stage.drifts(changed, added) == []
    assert stage.functions() == {"echo", "added", "housekeeping"}
    assert stage.queues() == {
        *("echo", "echo-dlq", "added", "added-dlq", "unrouted", "unrouted-dlq"),
    }
    assert [*stage.catalogue().agents] == ["added", "echo"]
    assert stage.catalogue().removed == ("ledger", "licence")
    client = stage.clients("lambda")
    function = client.get_function_configuration(FunctionName=stage.names.function("echo"))
    assert (function["Timeout"], function["MemorySize"]) == (82, 512)
    assert function["Environment"]["Variables"]["MODE"] == "fast"
    (source,) = client.list_event_source_mappings(FunctionName=stage.names.function("echo"))[
        "EventSourceMappings"
    ]
    assert (source["State"], source["BatchSize"]) == ("Enabled", 3)
    sns = stage.clients("sns")
    topic = stage.names.topic_arn("packages")
    (listed,) = sns.list_subscriptions_by_topic(TopicArn=topic)["Subscriptions"]
    attributes = sns.get_subscription_attributes(SubscriptionArn=listed["SubscriptionArn"])
    assert loads(attributes["Attributes"]["FilterPolicy"]) == {"type": ["wheel"]}


def test_a_stage_whose_records_are_laid_out_otherwise_is_not_deployed_over(stage):
    stage.deploy(PLAIN)
    now = stage.catalogue().dump()
    put = partial(stage.clients("s3").put_object, Bucket=stage.names.bucket, Key=CATALOGUE_KEY)
    put(Body=dumps({**loads(now), "format": 1}))
    with pytest.raises(NotDeployed) as refused:
        stage.deploy(PLAIN, spec("added"))
    assert "sqswarm destroy" in refused.value.hint
    assert stage.functions() == {"echo", "housekeeping"}
    put(Body=now)


def test_a_failure_names_the_resource_and_a_second_try_goes_on(stage, emulator):
    if emulator.kind == "ministack":
        pytest.skip("ministack takes over a function that exists already")
    stage.deploy(PLAIN)
    client = stage.clients("lambda")
    echo = client.get_function_configuration(FunctionName=stage.names.function("echo"))
    record = read_record(stage.clients("s3"), stage.names.bucket)
    squatter = stage.names.function("taken")
    client.create_function(
        FunctionName=squatter,
        Runtime=echo["Runtime"],
        Role=echo["Role"],
        Handler="x.y",
        Code={"S3Bucket": stage.names.bucket, "S3Key": record.code_key},
    )
    with pytest.raises(DeployFailed, match=r"TakenFunction \(AWS::Lambda::Function\)") as caught:
        stage.deploy(PLAIN, spec("taken"))
    assert "exist" in str(caught.value)
    assert caught.value.hint
    assert [*stage.catalogue().agents] == ["echo"]
    # LocalStack's roll-back takes the other function away, AWS's does not.
    with suppress(client.exceptions.ResourceNotFoundException):
        client.delete_function(FunctionName=squatter)
    assert stage.deploy(PLAIN, spec("taken")).changed
    assert stage.drifts(PLAIN, spec("taken")) == []


def test_destroy_leaves_nothing_and_finds_nothing_the_second_time(stage):
    stage.deploy(PLAIN)
    assert destroy(stage.settings).existed
    assert stage.queues() == set()
    assert stage.functions() == set()
    assert stage.names.table not in stage.listed("dynamodb", "list_tables", "TableNames")
    buckets = [bucket["Name"] for bucket in stage.listed("s3", "list_buckets", "Buckets")]
    assert stage.names.bucket not in buckets
    mappings = stage.listed("lambda", "list_event_source_mappings", "EventSourceMappings")
    assert not [m for m in mappings if f":{stage.names.stack}-" in m["EventSourceArn"]]
    assert not destroy(stage.settings).existed
