"""What one agent's role must not do to another's: each act is tried, over HTTP, and denied."""

import pytest
from botocore.exceptions import ClientError
from stage import ACCOUNT, REGION, STAGE

from sqswarm.schemas.naming import Names

pytestmark = pytest.mark.proof

NAMES = Names(stage=STAGE, account=ACCOUNT, region=REGION)
TABLE, BUCKET = NAMES.table, NAMES.bucket
DENIED = {
    *("AccessDenied", "AccessDeniedException", "AuthorizationError", "403"),
    *("UnauthorizedOperation", "AWS.SimpleQueueService.AccessDenied"),
}
S = "S"


def key(pk, sk="task"):
    return {"pk": {S: pk}, "sk": {S: sk}}


def item(pk, sk="task"):
    """Return acts on one item: every way to read, write, make, check or delete it."""
    one = {"TableName": TABLE, "Key": key(pk, sk)}
    set_x = {
        "UpdateExpression": "SET #x = :x",
        "ExpressionAttributeNames": {"#x": "result"},
        "ExpressionAttributeValues": {":x": {S: "mine"}},
    }
    where = f"WHERE pk='{pk}' AND sk='{sk}'"
    check = {**one, "ConditionExpression": "attribute_exists(pk)"}
    return {
        "get": ("get_item", one),
        "batch get": ("batch_get_item", {"RequestItems": {TABLE: {"Keys": [key(pk, sk)]}}}),
        "update": ("update_item", {**one, **set_x}),
        "put": ("put_item", {"TableName": TABLE, "Item": key(pk, sk)}),
        "delete": ("delete_item", one),
        "batch write": (
            "batch_write_item",
            {"RequestItems": {TABLE: [{"PutRequest": {"Item": key(pk, sk)}}]}},
        ),
        "batch delete": (
            "batch_write_item",
            {"RequestItems": {TABLE: [{"DeleteRequest": {"Key": key(pk, sk)}}]}},
        ),
        "transact": ("transact_write_items", {"TransactItems": [{"Update": {**one, **set_x}}]}),
        "check": ("transact_write_items", {"TransactItems": [{"ConditionCheck": check}]}),
        "transact get": ("transact_get_items", {"TransactItems": [{"Get": one}]}),
        "query": (
            "query",
            {
                "TableName": TABLE,
                "KeyConditionExpression": "pk = :pk",
                "ExpressionAttributeValues": {":pk": {S: pk}},
            },
        ),
        "select": ("execute_statement", {"Statement": f'SELECT * FROM "{TABLE}" {where}'}),
        "insert": (
            "execute_statement",
            {"Statement": f"INSERT INTO \"{TABLE}\" VALUE {{'pk':'{pk}','sk':'{sk}'}}"},
        ),
        "set": ("execute_statement", {"Statement": f'UPDATE "{TABLE}" SET x=1 {where}'}),
        "remove": ("execute_statement", {"Statement": f'DELETE FROM "{TABLE}" {where}'}),
        "batch insert": (
            "batch_execute_statement",
            {
                "Statements": [
                    {
                        "Statement": f"INSERT INTO \"{TABLE}\" VALUE {{'pk':?,'sk':?}}",
                        "Parameters": [{S: pk}, {S: sk}],
                    }
                ]
            },
        ),
    }


def acts_on(pk, sk="task", *, ways=None):
    return {
        f"{way} {pk}": ("dynamodb", operation, parameters)
        for way, (operation, parameters) in item(pk, sk).items()
        if ways is None or way in ways
    }


def whole_table(own="plain", other="keeper"):
    """Return acts that name no key, or one beside another's."""
    select = f'SELECT * FROM "{TABLE}"'
    return {
        "scan": ("dynamodb", "scan", {"TableName": TABLE}),
        "scan index": ("dynamodb", "scan", {"TableName": TABLE, "IndexName": "sweep"}),
        "select all": ("dynamodb", "execute_statement", {"Statement": select}),
        "select own": (
            "dynamodb",
            "execute_statement",
            {"Statement": f"{select} WHERE pk='task#{own}#1' OR pk='task#{other}#1'"},
        ),
        "query index": (
            "dynamodb",
            "query",
            {
                "TableName": TABLE,
                "IndexName": "sweep",
                "KeyConditionExpression": "due_shard = :due",
                "ExpressionAttributeValues": {":due": {S: "due#0"}},
            },
        ),
        "batch get beside own": (
            "dynamodb",
            "batch_get_item",
            {"RequestItems": {TABLE: {"Keys": [key(f"task#{own}#1"), key(f"task#{other}#1")]}}},
        ),
        "delete table": ("dynamodb", "delete_table", {"TableName": TABLE}),
    }


def objects(agent):
    there = {"Bucket": BUCKET, "Key": f"payloads/{agent}/1/arguments.json"}
    return {
        f"get {agent}": ("s3", "get_object", there),
        f"head {agent}": ("s3", "head_object", there),
        f"put {agent}": ("s3", "put_object", {**there, "Body": b"{}"}),
        f"delete {agent}": ("s3", "delete_object", there),
        f"copy {agent}": (
            "s3",
            "copy_object",
            {
                "Bucket": BUCKET,
                "Key": "payloads/plain/1/copy.json",
                "CopySource": f"{BUCKET}/{there['Key']}",
            },
        ),
    }


def bucket():
    return {
        "list": ("s3", "list_objects_v2", {"Bucket": BUCKET}),
        "list own": ("s3", "list_objects_v2", {"Bucket": BUCKET, "Prefix": "payloads/plain/"}),
        "put catalogue": (
            "s3",
            "put_object",
            {"Bucket": BUCKET, "Key": "catalogue.json", "Body": b"{}"},
        ),
        "put code": ("s3", "put_object", {"Bucket": BUCKET, "Key": "code/x.zip", "Body": b""}),
        "get code": ("s3", "get_object", {"Bucket": BUCKET, "Key": "code/x.zip"}),
        "policy": ("s3", "get_bucket_policy", {"Bucket": BUCKET}),
    }


def queue(stage, agent, *, ways=None, dead=False):
    url = {"QueueUrl": stage.queue(agent, dead=dead)}
    handle = {**url, "ReceiptHandle": "x"}
    acts = {
        "receive": ("receive_message", url),
        "send": ("send_message", {**url, "MessageBody": "{}"}),
        "send many": (
            "send_message_batch",
            {**url, "Entries": [{"Id": "1", "MessageBody": "{}"}]},
        ),
        "delete": ("delete_message", handle),
        "hide": ("change_message_visibility", {**handle, "VisibilityTimeout": 0}),
        "purge": ("purge_queue", url),
        "look": ("get_queue_attributes", {**url, "AttributeNames": ["All"]}),
        "set": ("set_queue_attributes", {**url, "Attributes": {"VisibilityTimeout": "0"}}),
    }
    name = url["QueueUrl"].rpartition("/")[2]
    return {
        f"{way} {name}": ("sqs", operation, parameters)
        for way, (operation, parameters) in acts.items()
        if ways is None or way in ways
    }


def others():
    function = NAMES.function("keeper")
    topic = NAMES.topic_arn("tasks")
    return {
        "publish": ("sns", "publish", {"TopicArn": topic, "Message": "{}"}),
        "publish many": (
            "sns",
            "publish_batch",
            {"TopicArn": topic, "PublishBatchRequestEntries": [{"Id": "1", "Message": "{}"}]},
        ),
        "alarm": ("sns", "publish", {"TopicArn": NAMES.topic_arn("alarms"), "Message": "!"}),
        "subscribe": (
            "sns",
            "subscribe",
            {"TopicArn": topic, "Protocol": "sqs", "Endpoint": f"arn:aws:sqs:{REGION}:{ACCOUNT}:x"},
        ),
        "invoke": ("lambda", "invoke", {"FunctionName": function}),
        "code": ("lambda", "update_function_code", {"FunctionName": function, "ZipFile": b""}),
        "roles": ("iam", "list_roles", {}),
        "grant": (
            "iam",
            "put_role_policy",
            {"RoleName": "x", "PolicyName": "x", "PolicyDocument": "{}"},
        ),
        "assume": (
            "sts",
            "assume_role",
            {"RoleArn": f"arn:aws:iam::{ACCOUNT}:role/x", "RoleSessionName": "xx"},
        ),
        "stack": ("cloudformation", "describe_stacks", {"StackName": NAMES.stack}),
        "log": ("logs", "get_log_events", {"logGroupName": "g", "logStreamName": "s"}),
        "secret": ("ssm", "get_parameter", {"Name": "/x"}),
    }


READS = {"get", "query", "select", "transact get"}
CHANGES = {"update", "put", "delete", "transact", "set", "remove", "batch write", "batch delete"}
PURSES = {
    **acts_on("ledger#thinker#2026-11-24", "x"),
    **acts_on("spend#agent#thinker", "2026-11-24"),
    **acts_on("spend#principal#0", "2026-11-24"),
    **acts_on("pause#anthropic", "pause"),
    **acts_on("rate#limited", "bucket"),
    **acts_on("limit#limited#0", "slots"),
}


def every_act(stage):
    """Return acts by role: `plain` on `keeper`, which it does not call and is not called by."""
    keeper_session = acts_on("session#keeper#0", "history")
    join = {"UpdateExpression": "SET arguments = :x", "ExpressionAttributeValues": {":x": {S: "x"}}}
    parents_record = {"TableName": TABLE, "Key": key("task#parent#1")}
    return {
        "plain": {
            **acts_on("task#keeper#1"),
            **acts_on("task#keeper#1", "step#first"),
            **acts_on("task#plainer#1"),
            **keeper_session,
            # What ran: only told, of itself, and never looked at or told otherwise.
            **acts_on("activity#keeper", "1#x"),
            **acts_on("activity#plain", "1#x", ways={*READS, *CHANGES, "batch get", "check"}),
            **PURSES,
            **acts_on("session#plain#0", "history"),
            **whole_table(),
            **objects("keeper"),
            **objects("topic.news"),
            **bucket(),
            **queue(stage, "keeper"),
            **queue(stage, "keeper", dead=True),
            **queue(stage, "plain", dead=True, ways={"receive", "delete", "hide", "purge"}),
            **queue(stage, "unrouted"),
            **others(),
            # Of a caller: only the join's attributes, and only changed.
            **acts_on("task#parent#1", ways={*READS, "batch get", "insert", "put", "delete"}),
            **acts_on("task#parent#1", ways={"transact", "set", "update", "batch insert"}),
            "a parent's arguments": ("dynamodb", "update_item", {**parents_record, **join}),
            **objects("parent"),
            **queue(stage, "parent", ways={"receive", "delete", "hide", "purge"}),
        },
        "parent": {
            # Of an agent that it calls: no change of a record, no message taken.
            **acts_on("task#plain#1", ways={*CHANGES, *READS, "check"}),
            **acts_on("session#plain#0", "history"),
            **acts_on("rate#limited", "bucket"),
            **queue(stage, "plain", ways={"receive", "delete", "hide", "purge", "look"}),
            **queue(stage, "plain", dead=True),
            "overwrite arguments": objects("plain")["put plain"],
            **acts_on("task#listener#1"),
            **queue(stage, "listener"),
            **objects("listener"),
            **PURSES,
            **whole_table("parent", "listener"),
            **bucket(),
            **others(),
        },
        "herald": {
            # Of who gets its events: a record is made, and nothing read, changed or sent.
            **acts_on("task#chronicler#1", ways={*CHANGES, *READS, "check"}),
            **queue(stage, "chronicler"),
            "overwrite event": objects("topic.told")["put topic.told"],
            "get event": objects("topic.told")["get topic.told"],
            **objects("topic.news"),
            **objects("chronicler"),
            **acts_on("task#keeper#1"),
            **whole_table("herald"),
            **bucket(),
            **others(),
        },
        "thinker": {
            **acts_on("task#keeper#1"),
            **keeper_session,
            **acts_on("ledger#plain#2026-11-24", "x"),
            **acts_on("spend#agent#plain", "2026-11-24"),
            **acts_on("pause#anthropic", "pause", ways={"put", "delete", "insert", "remove"}),
            **whole_table("thinker"),
            **objects("keeper"),
            **bucket(),
            **queue(stage, "keeper"),
            **others(),
        },
        "hauler": {
            **acts_on("task#keeper#1"),
            **keeper_session,
            **PURSES,
            **whole_table("hauler"),
            **objects("keeper"),
            **bucket(),
            **queue(stage, "keeper"),
            **others(),
        },
        "unrouted": {
            **PURSES,
            **acts_on("task#plain#1", ways={"put", "delete", "query", "select", "remove"}),
            **acts_on("activity#plain", "1#x", ways={*READS, *CHANGES, "batch get", "check"}),
            **keeper_session,
            "scan": whole_table()["scan"],
            "select all": whole_table()["select all"],
            **bucket(),
            **queue(stage, "keeper", ways={"receive", "delete", "hide", "purge"}),
            **{name: act for name, act in others().items() if not name.startswith("publish")},
        },
        "dispatcher": {
            **PURSES,
            **acts_on("task#plain#1", ways={"put", "delete", "query", "select", "remove"}),
            **keeper_session,
            "scan": whole_table()["scan"],
            "scan index": whole_table()["scan index"],
            "select all": whole_table()["select all"],
            **acts_on(
                "activity#plain", "1#x", ways={"get", "select", "batch get", "insert", *CHANGES}
            ),
            **bucket(),
            **queue(stage, "keeper", ways={"receive", "delete", "hide", "purge"}),
            **queue(stage, "keeper", dead=True),
            **{name: act for name, act in others().items() if not name.startswith("publish")},
        },
    }


ROLES = ("plain", "parent", "herald", "thinker", "hauler", "unrouted", "dispatcher")


@pytest.mark.parametrize("role", ROLES)
def test_no_role_reaches_beyond_its_borders(stage, played, role):
    acts = every_act(stage)[role]
    assert {
        name: told for name, act in acts.items() if not (told := _refusal(stage, role, act))[0]
    } == {}


def test_what_lies_there_is_as_it_was(stage, played):
    """The tried acts changed nothing: no record of theirs is there."""
    found = stage.account("dynamodb").scan(
        TableName=TABLE,
        FilterExpression="#result = :mine",
        ExpressionAttributeNames={"#result": "result"},
        ExpressionAttributeValues={":mine": {S: "mine"}},
    )
    assert found["Items"] == []


def _refusal(stage, role, act):
    service, operation, parameters = act
    try:
        answer = getattr(stage.roles[role](service), operation)(**parameters)
    except ClientError as error:
        code = error.response["Error"]["Code"]
        return code in DENIED, code
    return False, str(answer)[:200]
