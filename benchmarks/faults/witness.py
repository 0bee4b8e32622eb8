"""Witness: what DynamoDB was asked to write, and accepted. Every worker and dispatcher passes here.

It is the judge of "written once": it sees the answers that the writers never got.
"""

from __future__ import annotations

import json
import re
import threading
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from benchmarks.faults.call import Call

TERMINAL = frozenset({"completed", "failed", "cancelled"})
_SET = re.compile(r"#(\w+) = (:\d+)")
_NAMES = re.compile(r"#(\w+)")
_PARTIQL_SET = re.compile(r'(SET|REMOVE) "(\w+)"(=(?:"\w+"\+)?\?)?')
_PARTIQL_TEST = re.compile(r'"(\w+)"(?:=|<>|<|<=)\?')
_PARTIQL_INSERT = re.compile(r"'(\w+)':\?")
_FENCE = frozenset({"status", "v", "phase", "attempt", "undoable", "given", "paused"})
"""What a worker compares in a write under its lease; who else compares `v` compares more."""
_OF_A_LEASE = frozenset({"lease_until", "progress"})
"""What such a write sets, one or the other, unless it is a mere check of the fence."""


@dataclass(frozen=True, kw_only=True)
class Written:
    """One write: the item's key, the texts and numbers that it sets, the version it compares.

    `tests` are the names of all that it compares, `refused` tells that they were not as expected.
    """

    pk: str
    sk: str
    sets: dict[str, str]
    expected: str | None = None
    tests: frozenset[str] = frozenset()
    refused: bool = False

    @property
    def task_id(self) -> str:
        """Return whose item it is."""
        return self.pk.rpartition("#")[2]

    @property
    def under(self) -> str | None:
        """Return the version of the lease that this was written under, if under any."""
        if "v" in self.sets or not self.tests <= _FENCE:
            return None
        return self.expected if not self.sets or self.sets.keys() & _OF_A_LEASE else None


@dataclass(kw_only=True)
class Granted:
    """A lease that DynamoDB granted, and what became of it. Times are Unix milliseconds.

    `after` is the version that it replaced, `length_ms` what its worker took it for; the others
    tell of the writes under it: until when it was renewed last, how it ended (`settled`, `parked`,
    `released` or not at all), and whether one was refused, since it was another's by then.
    """

    v: str
    after: str | None = None
    at_ms: int = 0
    length_ms: int = 0
    until_ms: int = 0
    ended: str = ""
    refused: bool = False

    @property
    def lost(self) -> bool:
        """True where the attempt came to nothing."""
        return self.ended not in {"settled", "parked"}


@dataclass
class Witness:
    """What was accepted so far, by task id. Read it from any thread."""

    endings: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """Statuses that a task ended with, each as often as it was written."""
    phases: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """How often a task entered each phase; and `asked`, when it became input_required."""
    leases: dict[str, dict[str, Granted]] = field(default_factory=lambda: defaultdict(dict))
    """Each task's leases, by version."""
    unanswered: list[str] = field(default_factory=list)
    """Requests whose answer not even the proxy got: nobody knows whether they were accepted."""
    steps: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Step records made, by task and step."""
    asking: list[str] = field(default_factory=list)
    """Tasks that became input_required, in that order."""
    _tokens: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def saw(self, call: Call, status: int, answer: bytes) -> None:
        """Take note of a request that was forwarded and answered."""
        if call.service != "dynamodb" or status not in {200, 400}:
            return
        with self._lock:
            if call.operation == "TransactWriteItems" and status == 200:
                # The SDK repeats a transaction under its token: DynamoDB says yes again, and
                # writes nothing (TransactWriteItems, "ClientRequestToken").
                token = str(call.json["ClientRequestToken"])
                if token in self._tokens:
                    return
                self._tokens.add(token)
            for written in _answered(call, status, answer):
                self._note_lease(written)
                if not written.refused:
                    self._note(written)

    def saw_no_answer(self, call: Call) -> None:
        """Take note of a request that was forwarded, and then the connection broke."""
        with self._lock:
            self.unanswered.append(call.text)

    def lost(self, task_id: str) -> int:
        """Return how many leases of a task came to nothing: neither a result nor a wait."""
        return sum(lease.lost for lease in self.leases.get(task_id, {}).values())

    def _note(self, written: Written) -> None:
        task_id = written.task_id
        if written.sk.startswith("step#"):
            self.steps[task_id, written.sk] += 1
        if written.sk != "task":
            return
        status, phase = written.sets.get("status"), written.sets.get("phase")
        if status in TERMINAL:
            self.endings[task_id].append(status)
        elif status == "input_required":
            self.phases[task_id]["asked"] += 1
            self.asking.append(task_id)
        if phase is not None:
            self.phases[task_id][phase] += 1

    def _note_lease(self, written: Written) -> None:
        if written.sk != "task":
            return
        leases, sets = self.leases[written.task_id], written.sets
        until_ms = int(sets.get("lease_until", 0))
        if "v" in sets and until_ms and not written.refused:
            leases[sets["v"]] = Granted(
                v=sets["v"],
                after=written.expected,
                at_ms=time.time_ns() // 1_000_000,
                length_ms=until_ms - int(sets["updated"]),
                until_ms=until_ms,
            )
        if (v := written.under) is None:
            return
        # Not known where the answer of its acquire was lost on this side of the emulator, too.
        lease = leases.setdefault(v, Granted(v=v))
        if written.refused:
            lease.refused = True
        elif until_ms:
            lease.until_ms = until_ms
        elif "lease_until" in sets:
            lease.ended = _ending(sets)


def _ending(sets: dict[str, str]) -> str:
    if sets.get("status") in TERMINAL:
        return "settled"
    return "parked" if "status" in sets or "phase" in sets else "released"


def _answered(call: Call, status: int, answer: bytes) -> Iterator[Written]:
    """Yield the writes of a request, accepted and refused; none where it was not even tried."""
    told: dict[str, Any] = json.loads(answer) if answer else {}
    match call.operation, str(told.get("__type", "")).rpartition("#")[2]:
        case "UpdateItem", "" | "ConditionalCheckFailedException":
            yield _update(call.json, refused=status != 200)
        case "TransactWriteItems", "" | "TransactionCanceledException":
            yield from _transaction(call.json["TransactItems"], told)
        case "BatchExecuteStatement", "":
            for statement, said in zip(call.json["Statements"], told["Responses"], strict=True):
                code = said.get("Error", {}).get("Code")
                if code in {None, "ConditionalCheckFailed"}:
                    yield _statement(statement, refused=code is not None)


def _transaction(entries: list[dict[str, Any]], told: dict[str, Any]) -> Iterator[Written]:
    """Yield the updates of a transaction that was carried out, or whatever kept it from that."""
    reasons = told.get("CancellationReasons", [{}] * len(entries))
    for entry, reason in zip(entries, reasons, strict=True):
        [(kind, request)] = entry.items()
        if reason.get("Code") == "ConditionalCheckFailed":
            yield _update(request, refused=True)
        elif kind == "Update" and "CancellationReasons" not in told:
            yield _update(request)


def _update(request: dict[str, Any], *, refused: bool = False) -> Written:
    names = request.get("ExpressionAttributeNames", {})
    values = request.get("ExpressionAttributeValues", {})

    def equal(expression: str) -> dict[str, str]:
        return {
            names[f"#{name}"]: _text(values[value])
            for name, value in _SET.findall(request.get(expression, ""))
        }

    condition = request.get("ConditionExpression", "")
    key = request["Key"]
    return Written(
        pk=key["pk"]["S"],
        sk=key["sk"]["S"],
        sets=equal("UpdateExpression"),
        expected=equal("ConditionExpression").get("v"),
        tests=frozenset(names[f"#{name}"] for name in _NAMES.findall(condition)),
        refused=refused,
    )


def _statement(statement: dict[str, Any], *, refused: bool = False) -> Written:
    text, parameters = statement["Statement"], list(map(_text, statement["Parameters"]))
    if text.startswith("INSERT"):
        sets = dict(zip(_PARTIQL_INSERT.findall(text), parameters, strict=True))
        return Written(pk=sets["pk"], sk=sets["sk"], sets=sets, refused=refused)
    clauses, _, tested = text.partition(" WHERE ")
    given = iter(parameters)
    sets = {}
    for verb, name, takes in _PARTIQL_SET.findall(clauses):
        if verb == "SET" and takes:
            sets[name] = next(given)
    names = _PARTIQL_TEST.findall(tested)
    compared = dict(zip(names, given, strict=True))
    return Written(
        pk=compared["pk"],
        sk=compared["sk"],
        sets=sets,
        expected=compared.get("v"),
        tests=frozenset(names) - {"pk", "sk"},
        refused=refused,
    )


def _text(attribute: dict[str, Any]) -> str:
    [value] = attribute.values()
    return value if isinstance(value, str) else json.dumps(value)
