import contextlib
import json
import re
from importlib import import_module
from pathlib import Path

import pytest
from cfnlint.api import lint
from infra_specs import EVERY_KIND, every_resource, rendered, spec
from troposphere import AWSObject

import sqswarm.infra.template as template_package
from sqswarm.infra.template import render, render_bucket_alone, template_names
from sqswarm.infra.template.limits import check_limits
from sqswarm.infra.template.logical import camel
from sqswarm.infra.topology import topology
from sqswarm.schemas import metrics
from sqswarm.schemas.agent_spec import Schedule
from sqswarm.schemas.errors import InvalidAgent


def lint_of(text):
    return lint(text, regions=["us-east-1"])


def test_cfn_lint_finds_nothing():
    look_alikes = [spec("a_b"), spec("a-b"), spec("a--b")]
    assert lint_of(json.dumps(rendered(*EVERY_KIND, *look_alikes))) == []


@pytest.mark.parametrize("auth", ["NONE", "AWS_IAM"])
def test_cfn_lint_finds_nothing_in_a_stage_with_everything(auth):
    assert lint_of(every_resource(auth)) == []


def test_a_stage_with_everything_has_every_kind_that_a_template_can_make():
    made = set()
    for file in Path(template_package.__file__).parent.glob("*.py"):
        for module, name in re.findall(r"\b([a-z]+)\.([A-Z]\w+)\(", file.read_text()):
            with contextlib.suppress(ImportError):
                kind = getattr(import_module(f"troposphere.{module}"), name, None)
                if isinstance(kind, type) and issubclass(kind, AWSObject):
                    made.add(kind.resource_type)
    has = {one["Type"] for one in json.loads(every_resource())["Resources"].values()}
    assert len(made) > 20
    of_many_agents = {"AWS::IAM::ManagedPolicy", "AWS::CloudFormation::WaitConditionHandle"}
    assert made - has == of_many_agents  # test_growth.py has those


def test_cfn_lint_finds_nothing_in_the_first_step():
    assert lint_of(render_bucket_alone(template_names("dev"))) == []


def test_the_first_step_is_part_of_the_whole(template):
    first = json.loads(render_bucket_alone(template_names("dev")))["Resources"]
    assert {title: template["Resources"][title] for title in first} == first


def test_the_same_topology_gives_the_same_text():
    def text(specs):
        names = template_names("dev")
        return render(
            topology(specs, names=names, modules=["m"], runtime="python3.12", architecture="arm64")
        )

    assert text(EVERY_KIND) == text(EVERY_KIND[::-1])


def test_the_template_names_no_account_and_no_region(template):
    assert "123456789012" not in json.dumps(template)
    names = template["Resources"]["Bucket"]["Properties"]["BucketName"]
    assert names == {"Fn::Sub": "sqswarm-dev-${AWS::AccountId}-${AWS::Region}"}


def test_no_role_may_do_an_action_with_a_wildcard(of_kind):
    for title, role in of_kind("AWS::IAM::Role").items():
        for statement in role["Policies"][0]["PolicyDocument"]["Statement"]:
            assert not [a for a in statement["Action"] if "*" in a], title
            if statement["Resource"] == ["*"]:
                assert all(a.startswith("xray:") for a in statement["Action"]), title


def test_an_agents_role_names_only_its_own_queues(of_kind):
    role = of_kind("AWS::IAM::Role")["EchoRole"]
    statements = role["Policies"][0]["PolicyDocument"]["Statement"]
    arns = [
        resource["Fn::Sub"].rpartition(":")[2]
        for statement in statements
        if statement["Action"][0].startswith("sqs:")
        for resource in statement["Resource"]
    ]
    assert set(arns) == {"sqswarm-dev-echo", "sqswarm-dev-echo-dlq"}


def test_declared_permissions_reach_only_their_agent(of_kind):
    roles = of_kind("AWS::IAM::Role")
    holders = [title for title, role in roles.items() if "arn:aws:s3:::mine/*" in json.dumps(role)]
    assert holders == ["FetcherRole"]


def test_a_permission_without_a_resource_is_refused():
    with pytest.raises(InvalidAgent, match="without Action or Resource"):
        rendered(spec("echo", permissions=({"Action": ["s3:GetObject"]},)))


def test_every_queue_has_dead_letters_that_take_only_from_it(of_kind):
    queues = of_kind("AWS::SQS::Queue")
    working = {title: queue for title, queue in queues.items() if title.endswith("Queue")}
    assert len(working) == len(queues) / 2 == len(EVERY_KIND) + 1
    for title, queue in working.items():
        letters = queue["RedrivePolicy"]["deadLetterTargetArn"]["Fn::GetAtt"][0]
        assert letters == title.removesuffix("Queue") + "DeadLetters"
        (source,) = queues[letters]["RedriveAllowPolicy"]["sourceQueueArns"]
        assert source["Fn::Sub"].endswith(f":{queue['QueueName']}")


def test_every_queue_is_encrypted_and_refuses_plain_http(of_kind):
    queues = of_kind("AWS::SQS::Queue")
    policies = of_kind("AWS::SQS::QueuePolicy")
    assert {p["Queues"][0]["Ref"] for p in policies.values()} == queues.keys()
    assert all(queue["SqsManagedSseEnabled"] for queue in queues.values())
    for policy in policies.values():
        _, deny = policy["PolicyDocument"]["Statement"]
        assert deny["Condition"] == {"Bool": {"aws:SecureTransport": "false"}}


def test_visibility_is_six_times_the_functions_time_out(of_kind):
    functions = of_kind("AWS::Lambda::Function")
    queues = of_kind("AWS::SQS::Queue")
    for source in of_kind("AWS::Lambda::EventSourceMapping").values():
        function = functions[source["FunctionName"]["Ref"]]
        queue = queues[source["EventSourceArn"]["Fn::GetAtt"][0]]
        assert queue["VisibilityTimeout"] >= 6 * function["Timeout"]
        assert source["FunctionResponseTypes"] == ["ReportBatchItemFailures"]


def test_a_fifo_event_source_has_no_window(of_kind):
    sources = of_kind("AWS::Lambda::EventSourceMapping")
    assert "MaximumBatchingWindowInSeconds" not in sources["LedgerEventSource"]
    assert "MaximumBatchingWindowInSeconds" in sources["EchoEventSource"]


def test_every_function_has_a_log_group_that_forgets(of_kind):
    groups = {group["LogGroupName"] for group in of_kind("AWS::Logs::LogGroup").values()}
    functions = of_kind("AWS::Lambda::Function").values()
    assert groups == {f"/aws/lambda/{function['FunctionName']}" for function in functions}
    assert all(group["RetentionInDays"] for group in of_kind("AWS::Logs::LogGroup").values())


def test_two_alarms_watch_every_consumers_queues(of_kind):
    alarms = of_kind("AWS::CloudWatch::Alarm").values()
    watched = [alarm["MetricName"] for alarm in alarms if "MetricName" in alarm]
    assert watched.count("ApproximateAgeOfOldestMessage") == len(EVERY_KIND) + 1
    assert watched.count("ApproximateNumberOfMessagesVisible") == len(EVERY_KIND) + 1


def test_an_alarm_watches_the_share_of_every_agents_attempts_that_fail(of_kind):
    agents = set()
    for title, alarm in of_kind("AWS::CloudWatch::Alarm").items():
        if not title.endswith("AttemptsAlarm"):
            continue
        assert (alarm["MetricName"], alarm["Statistic"]) == ("FailureRate", "Average")
        dimensions = {one["Name"]: one["Value"] for one in alarm["Dimensions"]}
        assert (dimensions.keys(), dimensions["stage"]) == ({"stage", "agent"}, "dev")
        agents.add(dimensions["agent"])
    assert agents == {one.name for one in EVERY_KIND}


def test_the_dashboard_shows_what_workers_count(template):
    dashboard = template["Resources"]["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    graphs = [one["properties"] for one in json.loads(dashboard)["widgets"]]
    shown = {
        line[1]: line[5] for graph in graphs for line in graph["metrics"] if line[0] == "sqswarm"
    }
    assert shown.keys() <= metrics.UNITS.keys()
    assert metrics.UNITS.keys() - shown.keys() == {"Started", "Suspended", "Steps", "FailureRate"}
    places = [(one["x"], one["y"]) for one in json.loads(dashboard)["widgets"]]
    assert len(set(places)) == len(places)
    assert set(re.findall(r"\$\{([^}]*)", dashboard)) == {
        "AWS::Region"
    }  # LocalStack knows no `${!`


def test_a_project_may_do_without_metrics():
    built = topology(
        EVERY_KIND,
        names=template_names("dev"),
        modules=["m"],
        runtime="python3.12",
        architecture="arm64",
        metrics=False,
    )
    resources = json.loads(render(built).template)["Resources"]
    assert not [title for title in resources if title.endswith("AttemptsAlarm")]
    assert '"sqswarm"' not in resources["Dashboard"]["Properties"]["DashboardBody"]["Fn::Sub"]
    told = [
        one["Properties"]["Environment"]["Variables"][metrics.SWITCH]
        for one in resources.values()
        if one["Type"] == "AWS::Lambda::Function"
    ]
    assert len(told) == len(EVERY_KIND) + 1  # with housekeeping
    assert set(told) == {metrics.OFF}


def test_outputs_tell_topics_table_bucket_and_queues(template):
    outputs = template["Outputs"]
    assert {"BucketName", "TableName", "TasksTopicArn", "TasksFifoTopicArn"} <= outputs.keys()
    assert {"EchoQueueUrl", "ReadMeQueueUrl", "UnroutedQueueUrl"} <= outputs.keys()


def test_logical_ids_of_different_names_differ():
    names = ["a-b", "a_b", "ab", "a--b", "a-b-", "a1-b", "a-1b", "a-1-b", "queue", "a-queue"]
    assert len({camel(name) for name in names}) == len(names)


def test_what_no_further_stack_can_take_is_refused():
    timed = [spec(f"agent{n}", schedules=(Schedule(expression="rate(1 day)"),)) for n in range(250)]
    with pytest.raises(InvalidAgent, match="500") as caught:
        rendered(*timed)
    assert "schedules" in caught.value.hint


def test_a_template_over_a_megabyte_is_refused():
    with pytest.raises(InvalidAgent):
        check_limits(10, 1_000_001)
