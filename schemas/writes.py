"""Conditional writes as values: one definition of each operation, two stores that carry it out.

The memory store evaluates a Write, the DynamoDB store renders it as one conditional request.
So an operation of correctness.md is written once, and the stores cannot disagree about it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from sqswarm.schemas.value import dataclass

Value = str | int | bool | frozenset[int] | dict[str, Any]
"""What an attribute holds. Floats are not stored: times are integer milliseconds."""

Item = Mapping[str, Any]
"""A stored item, keys included."""


@dataclass(frozen=True, kw_only=True)
class Key:
    """A primary key of the table."""

    pk: str
    sk: str


@dataclass(frozen=True)
class Absent:
    """No such item exists."""


@dataclass(frozen=True)
class Eq:
    """The attribute exists and equals the value."""

    name: str
    value: Value


@dataclass(frozen=True)
class Ne:
    """The attribute differs from the value (or is missing)."""

    name: str
    value: Value


@dataclass(frozen=True)
class Lt:
    """The attribute exists and is below the value."""

    name: str
    value: int


@dataclass(frozen=True)
class Le:
    """The attribute exists and is at most the value."""

    name: str
    value: int


@dataclass(frozen=True)
class Has:
    """The attribute is a set that contains the element."""

    name: str
    element: int


@dataclass(frozen=True)
class Missing:
    """The item may exist, but not this attribute (an empty set is a missing one)."""

    name: str


Condition = Absent | Eq | Ne | Lt | Le | Has | Missing


@dataclass(frozen=True)
class Set:
    """Set the attribute."""

    name: str
    value: Value


@dataclass(frozen=True)
class Add:
    """Add to the number (0 where it is missing)."""

    name: str
    amount: int


@dataclass(frozen=True)
class Drop:
    """Take the element out of the set; the last one takes the attribute with it.

    Several of one set are taken out at once.
    """

    name: str
    element: int


@dataclass(frozen=True)
class Remove:
    """Remove the attribute."""

    name: str


Change = Set | Add | Drop | Remove


@dataclass(frozen=True, kw_only=True)
class Write:
    """One conditional write: all of `when` must hold, then all of `changes` happen at once.

    One without changes is a check: it only has a meaning within a transaction. Of one that is
    `blind` nobody asks what stands in its way: its Refused may name no item.
    """

    key: Key
    when: tuple[Condition, ...]
    changes: tuple[Change, ...]
    blind: bool = False

    @property
    def inserts(self) -> bool:
        """True for a write that only ever makes a new item."""
        return self.when == (Absent(),) and all(isinstance(c, Set) for c in self.changes)


@dataclass(frozen=True, kw_only=True)
class Applied:
    """The write happened; `item` is the item after it, where the store was asked for it."""

    item: Item | None = None


@dataclass(frozen=True, kw_only=True)
class Refused:
    """A condition did not hold; `item` is what stands there (None: nothing does)."""

    item: Item | None


WriteOutcome = Applied | Refused


def holds(condition: Condition, item: Item | None) -> bool:
    """Tell whether `condition` holds for `item`, as DynamoDB would."""
    here: Item = item or {}
    match condition:
        case Absent():
            return item is None
        case Eq(name, value):
            return name in here and here[name] == value
        case Ne(name, value):
            return here.get(name) != value
        case Lt(name, value):
            return name in here and here[name] < value
        case Le(name, value):
            return name in here and here[name] <= value
        case Has(name, element):
            return element in here.get(name, frozenset())
        case Missing(name):
            return name not in here


def applied(write: Write, item: Item | None) -> Item:
    """Return the item after `write`, without looking at its conditions."""
    after: dict[str, Any] = {"pk": write.key.pk, "sk": write.key.sk, **(item or {})}
    for change in write.changes:
        match change:
            case Set(name, value):
                after[name] = value
            case Add(name, amount):
                after[name] = after.get(name, 0) + amount
            case Drop(name, element):
                left = frozenset(after.get(name, frozenset())) - {element}
                after.pop(name, None)
                if left:
                    after[name] = left
            case Remove(name):
                after.pop(name, None)
    return after
