"""What AWS asks IAM about one DynamoDB request: actions, resources and condition keys.

Source: Service Authorization Reference, "Amazon DynamoDB"; DynamoDB Developer Guide, "Using IAM
policy conditions for fine-grained access control" and "IAM security policies with PartiQL": a
transaction's items and a batch's statements are authorized one by one, each as the action that it
performs, and a batch read once for each table with the keys of all of its items.

Standard library only: the emulator loads it in an environment of its own.
"""

import re
from dataclasses import dataclass, field
from itertools import pairwise

KEYS = ("pk", "sk")
_PARTITION_KEYS = {None: "pk", "sweep": "due_shard"}
"""Partition keys of the table and of its indexes."""

_ITEM_ACTIONS = {
    "ConditionCheck": "ConditionCheckItem",
    "Delete": "DeleteItem",
    "Get": "GetItem",
    "Put": "PutItem",
    "Update": "UpdateItem",
}
_EXPRESSIONS = (
    "ConditionExpression",
    "FilterExpression",
    "KeyConditionExpression",
    "ProjectionExpression",
    "UpdateExpression",
)
_WORD = re.compile(r"(?<![\w:.#])#?[A-Za-z_][\w-]*(?![\w-])(?!\s*\()")
_EXPRESSION_WORDS = frozenset(
    ("SET", "REMOVE", "ADD", "DELETE", "AND", "OR", "NOT", "BETWEEN", "IN")
)
_TOKEN = re.compile(r"""\s*("(?:[^"]|"")*"|'(?:[^']|'')*'|\?|[\w#.-]+|<>|<=|>=|.)""", re.DOTALL)
_STATEMENT_WORDS = frozenset(
    {
        *("SELECT", "INSERT", "UPDATE", "DELETE", "INTO", "FROM", "VALUE", "SET", "REMOVE"),
        *("WHERE", "AND", "OR", "NOT", "IN", "RETURNING", "ALL", "NEW", "OLD", "MODIFIED"),
    }
)


@dataclass(frozen=True)
class Ask:
    """One question to IAM; `keys` are the condition keys that the request carries."""

    action: str
    resource: str
    keys: dict = field(default_factory=dict)


def asks_of(operation, body, table_arn):
    """Return what IAM is asked about a DynamoDB `operation`; `table_arn` makes ARNs of names."""
    if operation in {"TransactWriteItems", "TransactGetItems"}:
        return [
            _one(_ITEM_ACTIONS[kind], item, table_arn, enclosing=operation)
            for entry in body["TransactItems"]
            for kind, item in entry.items()
        ]
    if operation == "ExecuteStatement":
        return [_statement(body, table_arn)]
    if operation in {"BatchExecuteStatement", "ExecuteTransaction"}:
        statements = body.get("Statements") or body.get("TransactStatements", [])
        return [_statement(one, table_arn, enclosing=operation) for one in statements]
    if operation == "BatchGetItem":
        return [
            Ask(
                "dynamodb:BatchGetItem",
                table_arn(table),
                _keys([key["pk"]["S"] for key in wanted["Keys"]], {*KEYS, *_named(wanted)}),
            )
            for table, wanted in body["RequestItems"].items()
        ]
    if operation == "BatchWriteItem":
        return [
            Ask(
                "dynamodb:BatchWriteItem",
                table_arn(table),
                _keys(
                    [
                        (one.get("PutRequest") or {}).get(
                            "Item", one.get("DeleteRequest", {}).get("Key")
                        )["pk"]["S"]
                        for one in requests
                    ],
                    set(),
                ),
            )
            for table, requests in body["RequestItems"].items()
        ]
    return [_one(operation, body, table_arn)]


def _one(action, body, table_arn, enclosing=None):
    index = body.get("IndexName")
    resource = table_arn(body["TableName"]) + (f"/index/{index}" if index else "")
    item = body.get("Item") or body.get("Key") or {}
    leading = [item["pk"]["S"]] if "pk" in item else _leading_of_query(body, index)
    keys = _keys(leading, {*item, *_named(body)})
    if "ReturnValues" in body:
        keys["dynamodb:ReturnValues"] = body["ReturnValues"]
    return Ask(f"dynamodb:{action}", resource, keys | _enclosed(enclosing))


def _keys(leading, attributes):
    keys = {}
    if leading:
        keys["dynamodb:LeadingKeys"] = sorted(set(leading))
    if attributes:
        keys["dynamodb:Attributes"] = sorted(attributes)
    return keys


def _enclosed(operation):
    return {"dynamodb:EnclosingOperation": operation} if operation else {}


def _named(body):
    """Return the attributes that expressions name, placeholders resolved, top level only."""
    names = body.get("ExpressionAttributeNames") or {}
    words = {
        word.split(".")[0]
        for expression in _EXPRESSIONS
        for word in _WORD.findall(body.get(expression) or "")
    }
    legacy = {*(body.get("AttributesToGet") or ()), *(body.get("AttributeUpdates") or ())}
    return {names.get(word, word) for word in words - _EXPRESSION_WORDS} | legacy


def _leading_of_query(body, index):
    partition = _PARTITION_KEYS.get(index)
    names = body.get("ExpressionAttributeNames") or {}
    for name, value in re.findall(
        r"(#?\w+)\s*=\s*(:\w+)", body.get("KeyConditionExpression") or ""
    ):
        if names.get(name, name) == partition:
            return list(body["ExpressionAttributeValues"][value].values())
    return []


def _statement(entry, table_arn, enclosing=None):
    """Read one PartiQL statement, as far as IAM needs: what it does, where, on which keys."""
    tokens = _TOKEN.findall(entry["Statement"].strip())
    parameters = iter(entry.get("Parameters") or [])
    # Parameters are bound in the order in which they stand.
    tokens = [next(parameters) if token == "?" else token for token in tokens]
    verb = tokens[0].upper()
    action = {"SELECT": "PartiQLSelect", "INSERT": "PartiQLInsert"}.get(
        verb, f"PartiQL{verb.capitalize()}"
    )
    table, index = _target(verb, tokens)
    partition = _PARTITION_KEYS.get(index)
    resource = table_arn(table) + (f"/index/{index}" if index else "")
    where = _after(tokens, "VALUE" if verb == "INSERT" else "WHERE")
    leading = []
    if not any(_is(token, "OR") for token in where):  # else it reads the whole table
        for name, sign, value in zip(where, where[1:], where[2:], strict=False):
            if _text(name) == partition and sign in ("=", ":"):
                leading.append(_text(value))
            elif _text(name) == partition and _is(sign, "IN"):
                inside = where[where.index(value) + 1 :]
                leading += [_text(one) for one in inside[: _end(inside)] if one != ","]
    attributes = _statement_attributes(verb, tokens, {table, index})
    keys = _keys(leading, attributes)
    if verb == "SELECT":
        keys["dynamodb:FullTableScan"] = "false" if leading else "true"
    return Ask(f"dynamodb:{action}", resource, keys | _enclosed(enclosing))


def _target(verb, tokens):
    word = {"INSERT": "INTO", "UPDATE": "UPDATE"}.get(verb, "FROM")
    at = next(n for n, token in enumerate(tokens) if _is(token, word)) + 1
    table = _text(tokens[at])
    if tokens[at + 1 : at + 2] == ["."]:
        return table, _text(tokens[at + 2])
    return table, None


def _statement_attributes(verb, tokens, targets):
    if verb == "INSERT":
        inside = _after(tokens, "VALUE")
        return {_text(name) for name, sign in pairwise(inside) if sign == ":"}
    return {
        _text(token)
        for token in tokens
        if isinstance(token, str)
        and re.match(r'["A-Za-z_]', token)
        and token.upper() not in _STATEMENT_WORDS
        and _text(token) not in targets
    }


def _after(tokens, word):
    at = next((n for n, token in enumerate(tokens) if _is(token, word)), len(tokens))
    return tokens[at + 1 :]


def _end(tokens):
    return next((n for n, token in enumerate(tokens) if token in ("]", ")")), len(tokens))


def _is(token, word):
    return isinstance(token, str) and token.upper() == word


def _text(token):
    """Return a name or a value as text: a bound parameter, a quoted word or a bare one."""
    if isinstance(token, dict):
        return str(next(iter(token.values())))
    return token[1:-1].replace(token[0] * 2, token[0]) if token[:1] in {'"', "'"} else token
