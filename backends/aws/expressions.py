"""Conditional writes in DynamoDB's two languages: update expressions and PartiQL.

Source: DynamoDB Developer Guide, "Update expressions", "Condition expressions" and "PartiQL
reference"; BatchExecuteStatement takes 25 statements, each with an outcome of its own.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer

from sqswarm.backends.ports.store import text_bytes
from sqswarm.schemas.writes import (
    Absent,
    Add,
    Condition,
    Drop,
    Eq,
    Has,
    Item,
    Le,
    Lt,
    Missing,
    Ne,
    Remove,
    Set,
    Write,
)

Attribute = dict[str, Any]


class _IntegerDeserializer(TypeDeserializer):
    """Numbers as int, not Decimal: this project stores no fractions."""

    def _deserialize_n(self, value: str) -> int:
        return int(value)

    def _deserialize_ns(self, value: list[str]) -> frozenset[int]:
        return frozenset(map(int, value))


_to_attribute: Callable[[Any], Any] = TypeSerializer().serialize
_from_attribute: Callable[[Any], Any] = _IntegerDeserializer().deserialize


def attribute(value: Any) -> Attribute:
    """Return a value in DynamoDB's wire form; raises NotStorable for half a character."""
    if isinstance(value, str):  # most values are; the serializer asks for every other type first
        text_bytes(value)
        return {"S": value}
    wire: Attribute = _to_attribute(value)
    return wire


def item_of(wire: dict[str, Attribute]) -> Item:
    """Return an item from DynamoDB's wire form."""
    return {name: _from_attribute(value) for name, value in wire.items()}


def key_of(pk: str, sk: str) -> dict[str, Attribute]:
    """Return a primary key in DynamoDB's wire form."""
    return {"pk": {"S": pk}, "sk": {"S": sk}}


class _Names:
    """Placeholders for one update: no attribute name can clash with a reserved word."""

    def __init__(self) -> None:
        self.names: dict[str, str] = {}
        self.values: dict[str, Attribute] = {}

    def name(self, name: str) -> str:
        placeholder = f"#{name}"
        self.names[placeholder] = name
        return placeholder

    def value(self, value: Any) -> str:
        placeholder = f":{len(self.values)}"
        self.values[placeholder] = attribute(value)
        return placeholder


def update_of(write: Write) -> dict[str, Any]:
    """Return the parameters of one UpdateItem that carries out `write`."""
    return {**_update_item(write), "ReturnValues": "ALL_NEW"}


def transaction_entry(write: Write, table: str) -> dict[str, Any]:
    """Return the entry of one TransactWriteItems that carries out `write`, or only checks it."""
    entry = {"TableName": table, **_update_item(write)}
    return {"Update" if write.changes else "ConditionCheck": entry}


def _update_item(write: Write) -> dict[str, Any]:
    names = _Names()
    clauses: dict[str, list[str]] = {}
    dropped: dict[str, set[int]] = {}
    for change in write.changes:
        name = names.name(change.name)
        match change:
            case Set(_, value):
                clauses.setdefault("SET", []).append(f"{name} = {names.value(value)}")
            case Add(_, amount):
                clauses.setdefault("ADD", []).append(f"{name} {names.value(amount)}")
            case Drop(_, element):  # one update may name a path once
                dropped.setdefault(name, set()).add(element)
            case Remove():
                clauses.setdefault("REMOVE", []).append(name)
    for name, elements in dropped.items():
        clauses.setdefault("DELETE", []).append(f"{name} {names.value(frozenset(elements))}")
    condition = " AND ".join(_condition(c, names) for c in write.when)
    request: dict[str, Any] = {
        "Key": key_of(write.key.pk, write.key.sk),
        "ExpressionAttributeNames": names.names,
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
    if condition:
        request["ConditionExpression"] = condition
    if clauses:
        request["UpdateExpression"] = " ".join(f"{k} {', '.join(v)}" for k, v in clauses.items())
    if names.values:
        request["ExpressionAttributeValues"] = names.values
    return request


def _condition(condition: Condition, names: _Names) -> str:
    match condition:
        case Absent():
            return f"attribute_not_exists({names.name('pk')})"
        case Eq(name, value):
            return f"{names.name(name)} = {names.value(value)}"
        case Ne(name, value):
            return f"{names.name(name)} <> {names.value(value)}"
        case Lt(name, value):
            return f"{names.name(name)} < {names.value(value)}"
        case Le(name, value):
            return f"{names.name(name)} <= {names.value(value)}"
        case Has(name, element):
            return f"contains({names.name(name)}, {names.value(element)})"
        case Missing(name):
            return f"attribute_not_exists({names.name(name)})"


def statement_of(write: Write, table: str) -> dict[str, Any] | None:
    """Return the PartiQL statement that carries out `write`, or None where PartiQL cannot.

    PartiQL's UPDATE needs an existing item (a comparison in `when` implies one) and serves plain
    comparisons, IS MISSING, SET and REMOVE (Amazon DynamoDB Developer Guide, "Using the MISSING
    function with PartiQL for DynamoDB"). A write that adds returns the item: its caller needs the
    sum.
    """
    if write.inserts:
        return _insert(write, table)
    simple = all(isinstance(c, Eq | Ne | Lt | Le | Missing) for c in write.when) and all(
        isinstance(c, Set | Add | Remove) for c in write.changes
    )
    exists = any(isinstance(c, Eq | Lt | Le) for c in write.when)
    return _update(write, table) if simple and exists else None


def _insert(write: Write, table: str) -> dict[str, Any]:
    values: dict[str, Any] = {"pk": write.key.pk, "sk": write.key.sk}
    values.update({c.name: c.value for c in write.changes if isinstance(c, Set)})
    fields = ",".join(f"'{name}':?" for name in values)
    return {
        "Statement": f'INSERT INTO "{table}" VALUE {{{fields}}}',
        "Parameters": [attribute(value) for value in values.values()],
    }


_COMPARISONS = {Eq: "=", Ne: "<>", Lt: "<", Le: "<="}


def _update(write: Write, table: str) -> dict[str, Any]:
    clauses: list[str] = []
    values: list[Any] = []
    returning = ""
    for change in write.changes:
        if isinstance(change, Set):
            clauses.append(f'SET "{change.name}"=?')
            values.append(change.value)
        elif isinstance(change, Add):
            clauses.append(f'SET "{change.name}"="{change.name}"+?')
            values.append(change.amount)
            returning = " RETURNING ALL NEW *"
        else:
            clauses.append(f'REMOVE "{change.name}"')
    tests = ['"pk"=?', '"sk"=?']
    values += [write.key.pk, write.key.sk]
    for condition in write.when:
        if isinstance(condition, Eq | Ne | Lt | Le):
            tests.append(f'"{condition.name}"{_COMPARISONS[type(condition)]}?')
            values.append(condition.value)
        elif isinstance(condition, Missing):
            tests.append(f'"{condition.name}" IS MISSING')
    return {
        "Statement": f'UPDATE "{table}" {" ".join(clauses)} WHERE {" AND ".join(tests)}{returning}',
        "Parameters": [attribute(value) for value in values],
        "ReturnValuesOnConditionCheckFailure": "ALL_OLD",
    }
