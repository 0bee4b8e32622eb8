"""What AWS asks IAM, by which the emulator is taught: each kind of DynamoDB request."""

import pytest
from authorization import Ask, asks_of

TABLE = "arn:aws:dynamodb:us-east-1:000000000000:table/t"
KEY = {"pk": {"S": "task#a#1"}, "sk": {"S": "task"}}


def asks(operation, **body):
    return asks_of(operation, body, lambda name: TABLE.removesuffix("t") + name)


def leading(found):
    return [one.keys.get("dynamodb:LeadingKeys") for one in found]


UPDATE = {
    "TableName": "t",
    "Key": KEY,
    "UpdateExpression": "SET #v = :0, due.at[1] = if_not_exists(seen, :1) REMOVE #w DELETE pend :2",
    "ConditionExpression": "attribute_not_exists(#x) AND contains (tags, :3) AND size(big) < :4",
    "ExpressionAttributeNames": {"#v": "v", "#w": "waits", "#x": "status"},
    "ReturnValues": "ALL_NEW",
}


def test_an_update_names_its_key_and_every_attribute_of_its_expressions():
    [ask] = asks("UpdateItem", **UPDATE)
    assert ask.action == "dynamodb:UpdateItem"
    assert ask.resource == TABLE
    assert ask.keys == {
        "dynamodb:LeadingKeys": ["task#a#1"],
        "dynamodb:Attributes": sorted(
            ["pk", "sk", "v", "due", "seen", "waits", "pend", "status", "tags", "big"]
        ),
        "dynamodb:ReturnValues": "ALL_NEW",
    }


def test_the_old_way_of_an_update_names_attributes_too():
    [ask] = asks("UpdateItem", TableName="t", Key=KEY, AttributeUpdates={"result": {}})
    assert "result" in ask.keys["dynamodb:Attributes"]


def test_items_of_a_transaction_are_asked_for_one_by_one():
    found = asks(
        "TransactWriteItems",
        TransactItems=[
            {"ConditionCheck": {"TableName": "t", "Key": KEY}},
            {"Update": {**UPDATE, "Key": {**KEY, "pk": {"S": "task#b#1"}}}},
            {"Put": {"TableName": "t", "Item": {**KEY, "x": {"N": "1"}}}},
            {"Delete": {"TableName": "u", "Key": KEY}},
        ],
    )
    assert [ask.action.partition(":")[2] for ask in found] == [
        *("ConditionCheckItem", "UpdateItem", "PutItem", "DeleteItem")
    ]
    assert leading(found) == [["task#a#1"], ["task#b#1"], ["task#a#1"], ["task#a#1"]]
    assert {ask.keys["dynamodb:EnclosingOperation"] for ask in found} == {"TransactWriteItems"}
    assert found[2].keys["dynamodb:Attributes"] == ["pk", "sk", "x"]
    assert found[3].resource.endswith("/u")


def test_a_batch_read_has_all_of_its_keys():
    other = {**KEY, "pk": {"S": "task#b#1"}}
    [ask] = asks("BatchGetItem", RequestItems={"t": {"Keys": [KEY, other]}})
    assert leading([ask]) == [["task#a#1", "task#b#1"]]


def test_a_batch_write_has_all_of_its_keys():
    requests = [{"PutRequest": {"Item": KEY}}, {"DeleteRequest": {"Key": {"pk": {"S": "b"}}}}]
    [ask] = asks("BatchWriteItem", RequestItems={"t": requests})
    assert leading([ask]) == [["b", "task#a#1"]]


def test_a_query_has_the_key_it_asks_for_and_one_of_an_index_its_own():
    [ask] = asks(
        "Query",
        TableName="t",
        KeyConditionExpression="#p = :p AND sk > :s",
        ExpressionAttributeNames={"#p": "pk"},
        ExpressionAttributeValues={":p": {"S": "task#a#1"}, ":s": {"S": "step#"}},
    )
    assert leading([ask]) == [["task#a#1"]]
    [ask] = asks(
        "Query",
        TableName="t",
        IndexName="sweep",
        KeyConditionExpression="due_shard = :d AND due_at <= :t",
        ExpressionAttributeValues={":d": {"S": "due#0"}, ":t": {"N": "1"}},
    )
    assert ask.resource == f"{TABLE}/index/sweep"
    assert leading([ask]) == [["due#0"]]


def test_a_scan_names_no_key():
    assert leading(asks("Scan", TableName="t", FilterExpression="sk = :t")) == [None]


@pytest.mark.parametrize(
    ("statement", "parameters", "action", "keys", "attributes"),
    [
        pytest.param(
            "INSERT INTO \"t\" VALUE {'pk':?,'sk':?,'a b':?}",
            [{"S": "task#a#1"}, {"S": "task"}, {"S": "WHERE pk='x'"}],
            "PartiQLInsert",
            ["task#a#1"],
            ["a b", "pk", "sk"],
            id="insert",
        ),
        pytest.param(
            "INSERT INTO t VALUE {'pk' : 'it''s', 'sk' : 'task'}",
            None,
            "PartiQLInsert",
            ["it's"],
            ["pk", "sk"],
            id="insert-literals",
        ),
        pytest.param(
            'UPDATE "t" SET "v"=? SET "n"="n"+? REMOVE "due" WHERE "pk"=? AND "sk"=? AND "x"<>? '
            "RETURNING ALL NEW *",
            [{"S": "v"}, {"N": "1"}, {"S": "task#a#1"}, {"S": "task"}, {"S": "x"}],
            "PartiQLUpdate",
            ["task#a#1"],
            ["due", "n", "pk", "sk", "v", "x"],
            id="update",
        ),
        pytest.param(
            "DELETE FROM t WHERE pk='a' AND sk='b'",
            None,
            "PartiQLDelete",
            ["a"],
            ["pk", "sk"],
            id="delete",
        ),
        pytest.param(
            "SELECT v FROM t WHERE pk IN ['a', 'b']",
            None,
            "PartiQLSelect",
            ["a", "b"],
            ["pk", "v"],
            id="select-in",
        ),
        pytest.param(
            "select * from t where pk='a' or pk='b'",
            None,
            "PartiQLSelect",
            None,
            ["pk"],
            id="select-or-reads-the-table",
        ),
        pytest.param('SELECT * FROM "t"', None, "PartiQLSelect", None, None, id="select-all"),
    ],
)
def test_a_statement_is_asked_for_as_what_it_does(statement, parameters, action, keys, attributes):
    entry = {"Statement": statement, **({"Parameters": parameters} if parameters else {})}
    for operation, body in (
        ("ExecuteStatement", entry),
        ("BatchExecuteStatement", {"Statements": [entry]}),
        ("ExecuteTransaction", {"TransactStatements": [entry]}),
    ):
        [ask] = asks(operation, **body)
        assert ask.action == f"dynamodb:{action}"
        assert ask.resource == TABLE
        assert ask.keys.get("dynamodb:LeadingKeys") == keys
        assert ask.keys.get("dynamodb:Attributes") == attributes


def test_a_statement_on_an_index_names_it():
    statement = 'SELECT * FROM "t"."sweep" WHERE due_shard=?'
    [ask] = asks("ExecuteStatement", Statement=statement, Parameters=[{"S": "due#0"}])
    assert ask == Ask(
        "dynamodb:PartiQLSelect",
        f"{TABLE}/index/sweep",
        {
            "dynamodb:LeadingKeys": ["due#0"],
            "dynamodb:Attributes": ["due_shard"],
            "dynamodb:FullTableScan": "false",
        },
    )


def test_every_statement_of_a_batch_is_asked_for():
    statements = [
        {"Statement": "INSERT INTO t VALUE {'pk':?}", "Parameters": [{"S": name}]} for name in "ab"
    ]
    assert leading(asks("BatchExecuteStatement", Statements=statements)) == [["a"], ["b"]]
