"""The DynamoDB engine: atomic under concurrency, and fluent in the PartiQL that we use."""

from concurrent.futures import ThreadPoolExecutor

import pytest
from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

pytestmark = pytest.mark.localstack

THREADS = 16


@pytest.fixture(scope="module")
def table(cloud):
    return cloud.table()


def dump(value):
    return TypeSerializer().serialize(value)


def load(item):
    return {name: TypeDeserializer().deserialize(value) for name, value in item.items()}


@pytest.fixture(scope="module")
def execute(cloud):
    """Run a batch; each answer is the error's code, the returned item, or None."""

    def run(*statements, **options):
        answer = cloud.dynamodb.batch_execute_statement(
            Statements=[
                {"Statement": text, "Parameters": [dump(value) for value in values], **options}
                for text, *values in statements
            ]
        )
        return [
            entry["Error"]["Code"]
            if "Error" in entry
            else load(entry["Item"])
            if "Item" in entry
            else None
            for entry in answer["Responses"]
        ]

    return run


def together(work):
    with ThreadPoolExecutor(THREADS) as pool:
        return list(pool.map(work, range(THREADS)))


def test_a_conditional_put_has_one_winner(cloud, table):
    keys = range(60)

    def race(_):
        won = []
        for key in keys:
            try:
                cloud.dynamodb.put_item(
                    TableName=table,
                    Item={"pk": {"S": f"race-{key}"}, "sk": {"S": "s"}},
                    ConditionExpression="attribute_not_exists(pk)",
                )
                won.append(key)
            except cloud.dynamodb.exceptions.ConditionalCheckFailedException:
                pass
        return won

    assert sorted(key for won in together(race) for key in won) == list(keys)


def test_no_update_is_lost_beside_failing_transactions(cloud, table):
    def add(_):
        for _ in range(10):
            cloud.dynamodb.update_item(
                TableName=table,
                Key={"pk": {"S": "sum"}, "sk": {"S": "s"}},
                UpdateExpression="ADD n :one",
                ExpressionAttributeValues={":one": {"N": "1"}},
            )
            with pytest.raises(cloud.dynamodb.exceptions.TransactionCanceledException):
                cloud.dynamodb.transact_write_items(
                    TransactItems=[
                        {
                            "Update": {
                                "TableName": table,
                                "Key": {"pk": {"S": "sum"}, "sk": {"S": "s"}},
                                "UpdateExpression": "ADD n :one",
                                "ExpressionAttributeValues": {":one": {"N": "1000"}},
                            }
                        },
                        {
                            "ConditionCheck": {
                                "TableName": table,
                                "Key": {"pk": {"S": "nobody"}, "sk": {"S": "s"}},
                                "ConditionExpression": "attribute_exists(pk)",
                            }
                        },
                    ]
                )

    together(add)
    key = {"pk": {"S": "sum"}, "sk": {"S": "s"}}
    item = cloud.dynamodb.get_item(TableName=table, Key=key, ConsistentRead=True)["Item"]
    assert item["n"] == {"N": str(THREADS * 10)}


def test_a_refused_write_returns_the_item_that_stood_in_its_way(cloud, table):
    item = {"pk": {"S": "stands"}, "sk": {"S": "s"}, "v": {"S": "1"}}
    cloud.dynamodb.put_item(TableName=table, Item=item)
    with pytest.raises(cloud.dynamodb.exceptions.ConditionalCheckFailedException) as refused:
        cloud.dynamodb.put_item(
            TableName=table,
            Item={"pk": {"S": "stands"}, "sk": {"S": "s"}},
            ConditionExpression="attribute_not_exists(pk)",
            ReturnValuesOnConditionCheckFailure="ALL_OLD",
        )
    assert refused.value.response["Item"] == item


def test_a_batch_insert_reports_each_duplicate_and_keeps_every_type(execute, cloud, table):
    insert = f"INSERT INTO \"{table}\" VALUE {{'pk': ?, 'sk': ?, 'm': ?, 'pending': ?}}"
    nested = {"a": {"b": [1, None, True, "x"]}}
    one, two = ("ins-1", "s", nested, {1, 2}), ("ins-2", "s", nested, {3})
    assert execute((insert, *one), (insert, *two), (insert, *one)) == [None, None, "DuplicateItem"]
    key = {"pk": {"S": "ins-1"}, "sk": {"S": "s"}}
    item = load(cloud.dynamodb.get_item(TableName=table, Key=key)["Item"])
    assert item["m"] == nested
    assert item["pending"] == {1, 2}


def test_a_lease_is_taken_by_one_statement_per_item(execute, table):
    insert = f"INSERT INTO \"{table}\" VALUE {{'pk': ?, 'sk': 's', 'status': ?, 'lease_until': ?}}"
    execute((insert, "free", "working", 0), (insert, "held", "working", 99))
    acquire = (
        f'UPDATE "{table}" SET "v"=? SET "lease_until"=? REMOVE "due" '
        'WHERE "pk"=? AND "sk"=? AND "status"=? AND "lease_until"<=?'
    )
    tries = [(acquire, "mine", 100, pk, "s", "working", 50) for pk in ("free", "held", "nobody")]
    refused = "ConditionalCheckFailed"
    assert execute(*tries) == [None, refused, refused]
    returning = (acquire + " RETURNING ALL NEW *", "again", 200, "free", "s", "working", 150)
    assert execute(returning) == [
        {"pk": "free", "sk": "s", "status": "working", "lease_until": 200, "v": "again"}
    ]


def test_a_refused_statement_can_return_the_item(cloud, execute, table):
    execute((f"INSERT INTO \"{table}\" VALUE {{'pk': 'seen', 'sk': 's', 'v': ?}}", "theirs"))
    answer = cloud.dynamodb.batch_execute_statement(
        Statements=[
            {
                "Statement": f'UPDATE "{table}" SET "x"=? WHERE "pk"=? AND "sk"=? AND "v"=?',
                "Parameters": [dump(value) for value in ("y", "seen", "s", "mine")],
                "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
            }
        ]
    )["Responses"]
    assert load(answer[0]["Error"]["Item"]) == {"pk": "seen", "sk": "s", "v": "theirs"}


def test_racing_batches_of_inserts_have_one_winner_per_item(execute, table):
    insert = f"INSERT INTO \"{table}\" VALUE {{'pk': ?, 'sk': 's'}}"
    batches = [[(insert, f"batch-{b}-{n}") for n in range(10)] for b in range(6)]
    outcomes = together(lambda _: [answer for batch in batches for answer in execute(*batch)])
    for answers in zip(*outcomes, strict=True):
        assert sorted(map(str, answers)) == ["DuplicateItem"] * (THREADS - 1) + ["None"]


def test_members_leave_a_set_and_counters_grow_in_place(execute, table):
    execute(
        (f"INSERT INTO \"{table}\" VALUE {{'pk': 'set', 'sk': 's', 'p': ?, 'n': ?}}", {1, 2}, 1)
    )
    count = (
        f'UPDATE "{table}" SET "p"=set_delete("p", ?) SET "n"="n"+1 '
        'WHERE "pk"=? AND "sk"=? AND contains("p", ?) RETURNING ALL NEW *'
    )
    assert execute((count, {1}, "set", "s", 1)) == [{"pk": "set", "sk": "s", "p": {2}, "n": 2}]
    assert execute((count, {1}, "set", "s", 1)) == ["ConditionalCheckFailed"]


def test_an_index_is_sparse_and_ttl_can_be_set(cloud, table):
    for n in range(3):
        item = {"pk": {"S": f"due-{n}"}, "sk": {"S": "sweep"}, "due": {"N": str(n)}}
        cloud.dynamodb.put_item(TableName=table, Item=item)
    cloud.dynamodb.put_item(TableName=table, Item={"pk": {"S": "x"}, "sk": {"S": "sweep"}})
    found = cloud.dynamodb.query(
        TableName=table,
        IndexName="by-due",
        KeyConditionExpression="sk = :s AND due <= :now",
        ExpressionAttributeValues={":s": {"S": "sweep"}, ":now": {"N": "1"}},
    )["Items"]
    assert [item["pk"]["S"] for item in found] == ["due-0", "due-1"]
    ttl = {"Enabled": True, "AttributeName": "ttl"}
    cloud.dynamodb.update_time_to_live(TableName=table, TimeToLiveSpecification=ttl)
    described = cloud.dynamodb.describe_time_to_live(TableName=table)["TimeToLiveDescription"]
    assert described == {"TimeToLiveStatus": "ENABLED", "AttributeName": "ttl"}
