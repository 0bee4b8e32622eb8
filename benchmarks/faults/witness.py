"""Witness: what DynamoDB was asked to write, and accepted. Every worker and dispatcher passes here.

It is the judge of "written once": it sees the answers that the writers never got.
"""

from __future__ import annotations

import json
import re
import threading
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from benchmarks.faults.call import Call

TERMINAL = frozenset({"completed", "failed", "cancelled"})
_TASK = "task#"
_SET = re.compile(r"#(\w+) = (:\d+)")
_PARTIQL_SET = re.compile(r'(SET|REMOVE) "(\w+)"(=(?:"\w+"\+)?\?)?')
_PARTIQL_INSERT = re.compile(r"'(\w+)':\?")


@dataclass(frozen=True, kw_only=True)
class Written:
    """One write: the item's key, and the texts and numbers that it sets."""

    pk: str
    sk: str
    sets: dict[str, str]


@dataclass
class Witness:
    """What was accepted so far, by task id. Read it from any thread."""

    endings: dict[str, list[str]] = field(default_factory=lambda: defaultdict(list))
    """Statuses that a task ended with, each as often as it was written."""
    phases: dict[str, Counter[str]] = field(default_factory=lambda: defaultdict(Counter))
    """How often a task entered each phase; and `asked`, when it became input_required."""
    acquired: Counter[str] = field(default_factory=Counter)
    """Leases taken."""
    released: Counter[str] = field(default_factory=Counter)
    """Leases given back by an attempt that came to nothing: it raised, or ran out of time."""
    steps: Counter[tuple[str, str]] = field(default_factory=Counter)
    """Step records made, by task and step."""
    asking: list[str] = field(default_factory=list)
    """Tasks that became input_required, in that order."""
    _tokens: set[str] = field(default_factory=set)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def saw(self, call: Call, status: int, answer: bytes) -> None:
        """Take note of a request that was forwarded and answered."""
        if call.service != "dynamodb" or status != 200:
            return
        with self._lock:
            if call.operation == "TransactWriteItems":
                # The SDK repeats a transaction under its token: DynamoDB says yes again, and
                # writes nothing (TransactWriteItems, "ClientRequestToken").
                token = str(call.json["ClientRequestToken"])
                if token in self._tokens:
                    return
                self._tokens.add(token)
            for written in _accepted(call, answer):
                self._note(written)

    def _note(self, written: Written) -> None:
        task_id = written.pk.removeprefix(_TASK)
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
        if "v" in written.sets and int(written.sets.get("lease_until", 0)) > 0:
            self.acquired[task_id] += 1
        if written.sets.get("lease_until") == "0" and "status_message" in written.sets:
            self.released[task_id] += 1

    def suspensions(self, task_id: str) -> int:
        """Return how often a task gave its worker back to wait."""
        phases = self.phases.get(task_id, Counter())
        return phases["waiting"] + phases["sleeping"] + phases["asked"]


def _accepted(call: Call, answer: bytes) -> Iterator[Written]:
    match call.operation:
        case "UpdateItem":
            yield _update(call.json)
        case "TransactWriteItems":
            for entry in call.json["TransactItems"]:
                if "Update" in entry:
                    yield _update(entry["Update"])
        case "BatchExecuteStatement":
            answers = json.loads(answer)["Responses"]
            for statement, told in zip(call.json["Statements"], answers, strict=True):
                if "Error" not in told:
                    yield _statement(statement)


def _update(request: dict[str, Any]) -> Written:
    names = request.get("ExpressionAttributeNames", {})
    values = request.get("ExpressionAttributeValues", {})
    sets = {
        names[f"#{name}"]: _text(values[value])
        for name, value in _SET.findall(request.get("UpdateExpression", ""))
    }
    key = request["Key"]
    return Written(pk=key["pk"]["S"], sk=key["sk"]["S"], sets=sets)


def _statement(statement: dict[str, Any]) -> Written:
    text, parameters = statement["Statement"], list(map(_text, statement["Parameters"]))
    if text.startswith("INSERT"):
        sets = dict(zip(_PARTIQL_INSERT.findall(text), parameters, strict=True))
        return Written(pk=sets["pk"], sk=sets["sk"], sets=sets)
    clauses, _, _ = text.partition(" WHERE ")
    given = iter(parameters)
    sets = {}
    for verb, name, takes in _PARTIQL_SET.findall(clauses):
        if verb == "SET" and takes:
            sets[name] = next(given)
    return Written(pk=next(given), sk=next(given), sets=sets)


def _text(attribute: dict[str, Any]) -> str:
    [value] = attribute.values()
    return value if isinstance(value, str) else json.dumps(value)
