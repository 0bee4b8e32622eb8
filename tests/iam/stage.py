"""A stage on ministack that asks IAM, and its functions in this process, each under its role.

The template is the project's own, without functions (the emulator would run them as the account):
Lambda's part, to receive, to call and to delete under the function's role, is played here.
"""

import asyncio
import contextlib
import json
import threading
import time
from dataclasses import replace
from pathlib import Path
from unittest.mock import patch

import boto3

from sqswarm.backends.aws.connect import client_options
from sqswarm.infra.local import start
from sqswarm.infra.local.commands import Command, command
from sqswarm.infra.local.isolated import emulator_apart
from sqswarm.infra.options import ServerOptions
from sqswarm.infra.plan import plan
from sqswarm.infra.project import find_project
from sqswarm.infra.template.logical import camel
from sqswarm.infra.template.render import template_names
from sqswarm.schemas.catalogue import CATALOGUE_KEY
from sqswarm.schemas.settings import Settings
from sqswarm.workers.hosts import housekeeping, lambda_handler

HERE = Path(__file__).parent
PROJECT = HERE / "guild_swarm"
STAGE = "iam"
ACCOUNT = "000000000000"
REGION = "us-east-1"

_LEFT_OUT = ("AWS::Lambda::", "AWS::Events::", "AWS::ECS::", "AWS::ApplicationAutoScaling::",
             "AWS::CloudWatch::", "AWS::Logs::")  # fmt: skip


@contextlib.contextmanager
def asking_emulator(log):
    """Run ministack with AUTH=true and the additions of ministack_auth.py."""

    def asking(kind, **more):
        plain = command(kind, **more)
        python, *_ = plain.arguments
        return Command(
            arguments=[python, str(HERE / "ministack_auth.py")],
            environ={**plain.environ, "AUTH": "true", "IAM_LOG": str(log)},
        )

    with contextlib.ExitStack() as stack:
        with patch.object(start, "command", asking):  # not of emulators that others start meanwhile
            apart = stack.enter_context(emulator_apart("ministack"))
        yield apart


def options_without_credentials(settings, service):
    """Return a client's options that leave who asks to the session: a role, not the account."""
    options = client_options(settings, service)
    return {name: value for name, value in options.items() if not name.startswith("aws_")}


class Role:
    """A role of the stage, assumed."""

    def __init__(self, name, settings, credentials):
        self.name = name
        self.session = boto3.Session(
            aws_access_key_id=credentials["AccessKeyId"],
            aws_secret_access_key=credentials["SecretAccessKey"],
            aws_session_token=credentials["SessionToken"],
            region_name=REGION,
        )
        self.credentials = credentials
        self._settings = settings
        self._made = {}
        self._lock = threading.Lock()

    def made(self):
        return self._made.values()

    def __call__(self, service):
        """Return the role's client of a service."""
        with self._lock:
            if service not in self._made:
                options = options_without_credentials(self._settings, service)
                self._made[service] = self.session.client(service, **options)
            return self._made[service]


class Stage:
    """The stage: its plan, its roles by what they are for, and what IAM was asked."""

    def __init__(self, variables, log):
        """`variables` say where the emulator is, and with which key the account itself asks."""
        self.variables = variables
        self.settings = Settings.from_env(variables)
        self._owner = boto3.Session(
            aws_access_key_id=variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=variables["AWS_SECRET_ACCESS_KEY"],
            region_name=REGION,
        )
        project = find_project(PROJECT)
        self.plan = plan(replace(project, server=ServerOptions()), stage=STAGE)
        self.log = log
        self._root = {}
        self._workers = []
        self.asked = []
        self.template = json.loads(self.plan.template)
        self._create()
        self.names = self.plan.topology(template_names(STAGE)).names
        self.bucket = f"sqswarm-{STAGE}-{ACCOUNT}-{REGION}"
        self.table = f"sqswarm-{STAGE}"
        self.account("s3").put_object(
            Bucket=self.bucket, Key=CATALOGUE_KEY, Body=self.plan.catalogue.dump().encode()
        )

    def account(self, service):
        """Return a client of the account's own, which may do everything."""
        if service not in self._root:
            options = options_without_credentials(self.settings, service)
            self._root[service] = self._owner.client(service, **options)
        return self._root[service]

    def _create(self):
        kept = {
            name: {k: v for k, v in one.items() if k != "DependsOn"}
            for name, one in self.template["Resources"].items()
            if not one["Type"].startswith(_LEFT_OUT)
        }
        body = {**self.template, "Resources": kept, "Outputs": {}}
        s3, cloudformation = self.account("s3"), self.account("cloudformation")
        self.account("sqs").create_queue(QueueName="guild-told")
        self.account("sns").create_topic(Name="guild-told")
        s3.create_bucket(Bucket="templates")  # a template sent along has at most 51,200 characters
        s3.put_object(Bucket="templates", Key="stage.json", Body=json.dumps(body))
        cloudformation.create_stack(
            StackName=f"sqswarm-{STAGE}",
            TemplateURL=f"{self.settings.endpoint_url}/templates/stage.json",
            Capabilities=["CAPABILITY_IAM"],
            Parameters=[{"ParameterKey": "ContainerImage", "ParameterValue": "image"}],
        )
        cloudformation.get_waiter("stack_create_complete").wait(
            StackName=f"sqswarm-{STAGE}", WaiterConfig={"Delay": 1}
        )
        made = cloudformation.describe_stack_resources(StackName=f"sqswarm-{STAGE}")
        agents = {camel(name): name for name in self.plan.specs}
        titles = {
            one["LogicalResourceId"].removesuffix("TaskRole").removesuffix("Role"):
                one["PhysicalResourceId"]
            for one in made["StackResources"]
            if one["ResourceType"] == "AWS::IAM::Role"
        }  # fmt: skip
        self.role_names = {agents.get(title, title.lower()): role for title, role in titles.items()}
        self.roles = {name: self._assume(name) for name in self.role_names}

    def _assume(self, name):
        arn = f"arn:aws:iam::{ACCOUNT}:role/{self.role_names[name]}"
        answer = self.account("sts").assume_role(RoleArn=arn, RoleSessionName="proof")
        return Role(name, self.settings, answer["Credentials"])

    def keep_what_was_asked(self):
        """Keep what IAM has been asked about roles so far as `asked`."""
        known = {physical: name for name, physical in self.role_names.items()}
        ends = time.monotonic() + 60
        while True:
            lines = self.log.read_text().splitlines()
            self.asked = [{**told, "role": known[told["role"]]} for told in map(json.loads, lines)]
            last = {(told["role"], told["action"]) for told in self.asked}
            # Nobody waits for what becomes of a message that is nobody's.
            if ("unrouted", "sqs:DeleteMessage") in last or time.monotonic() > ends:
                return
            time.sleep(0.2)

    def environment(self, agent):
        """Return what a function of the stage has in its environment."""
        return {
            "AWS_ENDPOINT_URL": self.settings.endpoint_url,
            "AWS_REGION": REGION,
            "AWS_LAMBDA_FUNCTION_NAME": f"sqswarm-{STAGE}-{agent}",
            "SQSWARM_STAGE": STAGE,
            "SQSWARM_ACCOUNT": ACCOUNT,
            "SQSWARM_AGENT": agent,
            "SQSWARM_AGENTS": "guild.agents",
        }

    def queue(self, agent, *, dead=False):
        """Return the address of an agent's queue."""
        fifo = agent == "ordered"
        name = f"sqswarm-{STAGE}-{agent}" + ("-dlq" if dead else "") + (".fifo" if fifo else "")
        return f"{self.settings.endpoint_url}/{ACCOUNT}/{name}"

    def told(self):
        """Return the bodies of what the guild's agents have told of since this was asked."""
        queue = f"{self.settings.endpoint_url}/{ACCOUNT}/guild-told"
        sqs, found = self.account("sqs"), []
        while got := sqs.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages"):
            found += [message["Body"] for message in got]
        return found

    def worker(self, agent, **environment):
        """Return an agent's worker under its role."""
        with patch.object(lambda_handler, "client_factory", lambda _: self.roles[agent]):
            made = lambda_handler.Worker({**self.environment(agent), **environment})
        self._workers.append(made)
        return made

    def close(self):
        """Close what functions keep open for as long as they live."""
        for worker in self._workers:
            worker._loop.run_until_complete(worker._loop.shutdown_default_executor())
            worker._loop.close()
        for client in [*self._root.values(), *(c for r in self.roles.values() for c in r.made())]:
            client.close()

    def housekeeping(self, event=None, *, later_s=0):
        """Run housekeeping under its role, `later_s` seconds from now."""

        class Later(housekeeping.AsyncRunner):
            def now_ms(self):
                return super().now_ms() + 1000 * later_s

        with (
            patch.object(housekeeping, "client_factory", lambda _: self.roles["unrouted"]),
            patch.object(housekeeping, "AsyncRunner", Later),
        ):
            return asyncio.run(
                housekeeping.handle_event(event or {}, self.environment("housekeeping"))
            )


def record_of(message):
    """Return a received message as Lambda hands it to a function."""
    return {
        "messageId": message["MessageId"],
        "receiptHandle": message["ReceiptHandle"],
        "body": message["Body"],
        "attributes": message.get("Attributes", {}),
        "messageAttributes": {
            name: {"stringValue": value.get("StringValue", ""), "dataType": value["DataType"]}
            for name, value in message.get("MessageAttributes", {}).items()
        },
    }


class EventSource:
    """Lambda's poller of one queue: receives, calls and deletes under the function's role."""

    def __init__(self, stage, agent, handle=None):
        self.agent = agent
        self._stage = stage
        self._handle = handle or stage.worker(agent).handle
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name=agent, daemon=True)
        self._thread.start()

    def _run(self):
        while not self._stop.is_set():
            poll(self._stage, self.agent, self._handle, wait_s=1)

    def ask_to_stop(self):
        self._stop.set()

    def stop(self):
        self.ask_to_stop()
        self._thread.join()


def poll(stage, agent, handle, *, wait_s=0):
    """Do one round of an event source; returns how many messages it had."""
    sqs, url = stage.roles[agent]("sqs"), stage.queue(agent)
    found = sqs.receive_message(
        QueueUrl=url,
        MaxNumberOfMessages=10,
        WaitTimeSeconds=wait_s,
        MessageSystemAttributeNames=["All"],
        MessageAttributeNames=["All"],
    ).get("Messages", [])
    if found:
        answer = handle({"Records": [record_of(message) for message in found]}, 60.0)
        failed = {one["itemIdentifier"] for one in answer["batchItemFailures"]}
        for message in found:
            if message["MessageId"] not in failed:
                sqs.delete_message(QueueUrl=url, ReceiptHandle=message["ReceiptHandle"])
    return len(found)
