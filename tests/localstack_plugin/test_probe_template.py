"""A template of thirty resources deploys, and what it wires up works."""

import io
import json
import zipfile
from pathlib import Path

import pytest

from .conftest import wait_for

pytestmark = pytest.mark.localstack

TEMPLATE = Path(__file__).with_name("probe_template.yaml").read_text()
CODE = "import json\ndef handler(e, c):\n    print('got', json.dumps(e))\n"


@pytest.fixture(scope="module")
def outputs(cloud):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as file:
        file.writestr("h.py", CODE)
    cloud.s3.create_bucket(Bucket="probe-code")
    cloud.s3.put_object(Bucket="probe-code", Key="code.zip", Body=archive.getvalue())
    cloud.cloudformation.create_stack(
        StackName="probe",
        TemplateBody=TEMPLATE,
        Parameters=[{"ParameterKey": "CodeBucket", "ParameterValue": "probe-code"}],
        Capabilities=["CAPABILITY_NAMED_IAM"],
    )

    def settled():
        stack = cloud.cloudformation.describe_stacks(StackName="probe")["Stacks"][0]
        return None if stack["StackStatus"].endswith("_IN_PROGRESS") else stack

    stack = wait_for(settled, timeout_s=120)
    assert stack["StackStatus"] == "CREATE_COMPLETE"
    return {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}


def test_every_resource_is_created(cloud, outputs):
    found = cloud.cloudformation.describe_stack_resources(StackName="probe")["StackResources"]
    assert {resource["ResourceStatus"] for resource in found} == {"CREATE_COMPLETE"}
    assert len(found) == 30


def test_a_published_task_passes_both_filters_and_reaches_the_function(cloud, outputs):
    body = '{"kind":  "task", "n": 1}'
    cloud.sns.publish(
        TopicArn=outputs["TopicArn"],
        Message=body,
        MessageAttributes={
            "agent": {"DataType": "String", "StringValue": "planner"},
            "priority": {"DataType": "Number", "StringValue": "2"},
        },
    )
    event = wait_for(lambda: _logged(cloud, "aws:sqs"))
    assert json.loads(event)["Records"][0]["body"] == body


def test_a_write_to_the_table_reaches_the_function_through_its_stream(cloud, outputs):
    cloud.dynamodb.put_item(
        TableName=outputs["TableName"], Item={"pk": {"S": "a"}, "sk": {"S": "b"}}
    )
    event = wait_for(lambda: _logged(cloud, "aws:dynamodb"))
    assert json.loads(event)["Records"][0]["eventName"] == "INSERT"


def _logged(cloud, source):
    events = cloud.logs.filter_log_events(logGroupName="/aws/lambda/dev-planner")["events"]
    lines = [event["message"] for event in events]
    return next((line[4:] for line in lines if line.startswith("got") and source in line), None)
