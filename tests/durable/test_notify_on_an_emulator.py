"""Who is told, over real SNS, SQS and EventBridge, and a webhook by a deployed stage."""

import base64
import json
import sys
import textwrap
import time
from dataclasses import replace
from secrets import token_hex

import pytest
from receiver import receiver
from standardwebhooks import Webhook

from sqswarm.backends.aws.caller import ThreadedCaller
from sqswarm.backends.aws.connect import backends, client_factory, settings_from_environment
from sqswarm.backends.ports.bus import Outgoing
from sqswarm.backends.runner import AsyncRunner
from sqswarm.schemas.errors import NotDeployed
from sqswarm.schemas.notice import target_of

pytestmark = pytest.mark.localstack

ACCOUNT = "000000000000"
SECRET = "whsec_" + base64.b64encode(b"twenty-four bytes of key").decode()


def events_of(sqs, url, count, *, seconds=30):
    """Receive so many notices, as their consumers would; an event bus wraps them."""
    ends, found = time.monotonic() + seconds, []
    while len(found) < count:
        assert time.monotonic() < ends, found
        got = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10, WaitTimeSeconds=1)
        found += [json.loads(message["Body"]) for message in got.get("Messages", [])]
    return [one.get("detail", one) for one in found]


async def test_topics_queues_and_event_buses_are_told(emulator):
    settings = settings_from_environment()
    get = client_factory(settings)
    name = f"told-{token_hex(2)}"
    region = settings.region
    arns = {kind: f"arn:aws:sqs:{region}:{ACCOUNT}:{name}-{kind}" for kind in ("q", "t", "b")}
    urls = {k: get("sqs").create_queue(QueueName=f"{name}-{k}")["QueueUrl"] for k in arns}
    topic = get("sns").create_topic(Name=name)["TopicArn"]
    raw = {"RawMessageDelivery": "true"}
    get("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arns["t"], Attributes=raw)
    bus = get("events").create_event_bus(Name=name)["EventBusArn"]
    pattern = json.dumps({"source": ["sqswarm"], "detail-type": ["sqswarm.task.completed"]})
    get("events").put_rule(Name=name, EventBusName=name, EventPattern=pattern)
    target = {"Id": "one", "Arn": arns["b"]}
    get("events").put_targets(Rule=name, EventBusName=name, Targets=[target])

    known = replace(settings, account=ACCOUNT, principal="me", stage="told")
    ports = backends(known, ThreadedCaller(get), AsyncRunner())
    messages = [
        Outgoing(
            id=f"{n}-ended",
            body=json.dumps({"id": f"{n}-ended"}),
            principal="me",
            agent="a",
            event_type="sqswarm.task.completed",
            group=str(n),
        )
        for n in range(12)
    ]
    for told, queue in ((arns["q"], "q"), (urls["q"], "q"), (topic, "t"), (bus, "b")):
        await ports.bus.tell(target_of(told, region=region), messages)
        found = events_of(get("sqs"), urls[queue], 12)
        assert {one["id"] for one in found} == {message.id for message in messages}
    with pytest.raises(NotDeployed):
        await ports.bus.tell(target_of(f"{arns['q']}-not"), messages[:1])


@pytest.mark.proof
def test_a_deployed_stage_tells_a_queue_and_a_webhook(emulator, tmp_path, monkeypatch):
    from sqswarm import Swarm
    from sqswarm.infra.deploy import Reports, deploy
    from sqswarm.infra.plan import plan
    from sqswarm.infra.project import find_project

    settings = settings_from_environment()
    get = client_factory(settings)
    stage = f"told{token_hex(2)}"
    url = get("sqs").create_queue(QueueName=stage)["QueueUrl"]
    arn = f"arn:aws:sqs:{settings.region}:{ACCOUNT}:{stage}"
    get("ssm").put_parameter(Name=f"/{stage}/hook", Value=SECRET, Type="SecureString")
    module = f"agents_{stage}"
    (tmp_path / f"{module}.py").write_text(
        textwrap.dedent(
            """
            from sqswarm import Fail, agent

            @agent(timeout=10, durability="lean")
            def pack(order: int) -> int:
                if order < 0:
                    raise Fail("no such order")
                return order
            """
        )
    )
    with receiver() as here:
        (tmp_path / "pyproject.toml").write_text(
            f"""
            [tool.sqswarm]
            agents = ["{module}", "sqswarm.workers.agents.webhook"]
            notify = [{{url = "{here.url}", secret = "ssm:/{stage}/hook"}}]
            notify_all = ["{arn}"]
            """
        )
        monkeypatch.syspath_prepend(str(tmp_path))
        monkeypatch.setenv("SQSWARM_STAGE", stage)
        deploy(settings_from_environment(), plan(find_project(tmp_path), stage=stage), Reports())
        here.answers = [500]
        with Swarm.connect() as swarm:
            good = swarm.submit("pack", order=1, notify=here.url)
            bad = swarm.submit("pack", order=-1)
            told = {one["subject"]: one["type"] for one in events_of(get("sqs"), url, 2)}
            assert told == {
                good.id: "sqswarm.task.completed",
                bad.id: "sqswarm.task.failed",
            }
            ends = time.monotonic() + 40
            while len(here.got) < 2:
                assert time.monotonic() < ends, swarm.list(agent="webhook")
                time.sleep(0.2)
            for _, headers, body in here.got:
                event = Webhook(SECRET).verify(body, {k.lower(): v for k, v in headers.items()})
                assert event["subject"] == good.id
    sys.modules.pop(module, None)
