"""A life: what the world saw of one task, from outside the code that is tried."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from sqswarm.schemas.json import loads
from sqswarm.schemas.lifecycle import ASIDE, TERMINAL, TRANSITIONS, Phase, Status
from sqswarm.schemas.signal import is_signal, topic_of
from sqswarm.schemas.writes import Item

if TYPE_CHECKING:
    from simulation.process import Process

_FINAL = ("status", "result", "result_ref", "error", "v", "phase", "attempt")
_SKEWED_MS = 4000
"""Two clocks, each up to two seconds wrong."""
_UNDER_THE_LEASE = (
    *("settle", "fail", "plan", "sleep", "ask", "receive", "park"),
    *("renew", "release", "progress", "record step", "begin undo", "count undo"),
)
_NEXT = {(before, after) for (before, _), after in TRANSITIONS.items()}


@dataclass(kw_only=True, eq=False)
class Execution:
    """One call of the agent's function."""

    process: Process
    attempt: int
    token: str | None
    started_s: float
    ended_s: float | None = None
    how: str = "running"
    undoes: bool = False


@dataclass(kw_only=True, eq=False)
class Acquired:
    """One lease that was taken, and how it was given back: "lost" where it never was.

    `worker` is None where nobody knows who wrote: a request that landed late.
    """

    token: str
    worker: str | None
    ended: str | None = None


@dataclass(kw_only=True, eq=False)
class History:
    """What was seen of one task. `wrongs` are (law, what) that showed at once."""

    task_id: str
    item: Item | None = None
    handle: bool = False
    executions: list[Execution] = field(default_factory=list)
    acquired: list[Acquired] = field(default_factory=list)
    settled_by: str | None = None
    endings: int = 0
    ended_s: float = 0.0
    created_s: float = 0.0
    suspensions: int = 0
    parks: int = 0
    parked_by: int | None = None
    """Which code it met when it was parked last, where that is known."""
    worked: set[str] = field(default_factory=set)
    """Steps whose work was done by whoever held it."""
    plans: int = 0
    fires: int = 0
    given_up: int = 0
    """Waits for children that were given up, for the task was to be undone."""
    undone: list[int] = field(default_factory=list)
    """The numbers of its undos, as they were recorded."""
    orphans: tuple[float, tuple[str, ...]] | None = None
    """When it was cancelled while it waited for children, and for which."""
    signals: dict[str, list[str]] = field(default_factory=dict)
    """What was recorded as sent, by topic, in the order in which it was."""
    wrongs: list[tuple[str, str]] = field(default_factory=list)
    _parked: set[str] = field(default_factory=set)
    _met: dict[int, int] = field(default_factory=dict)

    @property
    def status(self) -> Status | None:
        """Return the recorded status, None where there is no record."""
        return None if self.item is None else Status(self.item["status"])

    @property
    def is_parked(self) -> bool:
        """Tell whether it waits for code that fits."""
        item = self.item
        return item is not None and item["status"] == "working" and item["phase"] == Phase.PARKED

    def met(self, piece: int) -> int:
        """Count that a run came to a piece of its script."""
        self._met[piece] = self._met.get(piece, 0) + 1
        return self._met[piece]

    def wrong(self, invariant: str, what: str) -> None:
        """Note a broken law."""
        self.wrongs.append((invariant, what))

    def began(self, run: Execution, *, now_ms: int) -> None:
        """Look at a run that begins: alone, and under a live lease of its own."""
        if not run.process.honest(self.task_id):
            return
        for other in self.executions:
            if other.ended_s is None and other.process.honest(self.task_id):
                what = f"{run.process.name} began while {other.process.name} was running"
                self.wrong("one-live-execution", what)
        item = self.item
        if item is not None and item["v"] == run.token:
            over_ms = now_ms - item["lease_until"] - _SKEWED_MS
            if item["status"] == "working" and item["lease_until"] and over_ms > 0:
                what = f"{run.process.name} began after its lease was over"
                self.wrong("one-live-execution", what)

    def fenced(self, process: Process, kind: str, before: Item) -> None:
        """Look at who wrote: a worker whose lease another has taken over may not any more."""
        if not kind.startswith(_UNDER_THE_LEASE) or Status(before["status"]) in TERMINAL:
            return
        tokens = {run.token for run in self.executions if run.process is process}
        if tokens and before["v"] not in tokens:
            self.wrong("fenced", f"{process.name} wrote ({kind}) after losing its lease")

    def held_back(self, kind: str, before: Item) -> None:
        """Look at a write that pauses the task, or takes it though it is paused."""
        if kind == "pause" and Status(before["status"]).terminal:
            self.wrong("paused-is-held-back", "it was paused after it had ended")
        if kind == "acquire" and "paused" in before and "undo" not in before:
            self.wrong("paused-is-held-back", "a worker took it while it was paused")

    def leased(self, process: Process | None, kind: str, before: Item | None, after: Item) -> None:
        """Look at what a write does to the task's lease."""
        open_one = self.acquired[-1] if self.acquired else None
        if kind == "set aside" and open_one is not None and open_one.ended is None:
            open_one.ended = "lost"
        if kind == "park":
            self.parked_by = None if process is None else process.code
        if kind.startswith("acquire"):
            if open_one is not None and open_one.ended is None:
                open_one.ended = "lost"
            worker = None if process is None else process.name
            self.acquired.append(Acquired(token=after["v"], worker=worker))
        elif kind in {"make completed", "make failed"}:  # a lean task
            lost = '"WorkerLost"' in after.get("error", "")
            if not lost:
                worker = None if process is None else process.name
                self.acquired.append(
                    Acquired(token=after["v"], worker=worker, ended=after["status"])
                )
        elif open_one is not None and open_one.ended is None and kind == "begin undo":
            open_one.ended = _ended_by_undo(after)
        elif open_one is not None and open_one.ended is None and _is_given_back(before, after):
            open_one.ended = _given_back(kind, after)

    def changed(self, before: Item | None, after: Item, *, at_s: float) -> None:
        """Look at one applied write of the record."""
        self.item = after
        old = None if before is None else Status(before["status"])
        new = Status(after["status"])
        if before is None:
            self.created_s = at_s
        if old is not None and old in TERMINAL:
            moved = [n for n in _FINAL if before is not None and before.get(n) != after.get(n)]
            if moved:
                self.wrong("result-written-once", f"{', '.join(moved)} written after the end")
            return
        if new in TERMINAL:
            self.endings += 1
            self.ended_s = at_s
            self.settled_by = after["v"]
        if old is not None and old is not new and (old, new) not in _NEXT:
            self.wrong("result-written-once", f"{old} became {new}")
        self._given(before or {}, after)
        if before is not None:
            self._waited(before, after)

    def _waited(self, before: Item, after: Item) -> None:
        was, now = before["phase"], after["phase"]
        if "undo" in after and "undo" not in before:
            self.given_up += was == Phase.WAITING
        if after["status"] != "working" and "undo" in after:
            return
        aside = now == Phase.PARKED and was != now and _is_set_aside(after)
        parked = _is_put_to_wait(before, after) and not aside
        if was != now:
            self.plans += now == Phase.WAITING
            self.fires += now == Phase.CHILDREN_DONE
            if now == Phase.PARKED:
                self.parks += not aside
                if after["attempt"] != before["attempt"] - (not aside):
                    self.wrong("a-deploy-ends-no-task", "it used up an attempt to be parked")
        if was == now == Phase.PARKED and before["v"] != after["v"]:
            self.wrong("a-deploy-ends-no-task", "a worker took it while it was parked")
        if was == Phase.PARKED and after["status"] in {"completed", "failed"}:
            self.wrong("a-deploy-ends-no-task", f"it {after['status']} while it was parked")
        if parked:
            self.suspensions += 1
            if before["v"] in self._parked:
                self.wrong("suspends-once", "a run was put to wait that had waited before")
            self._parked.add(before["v"])

    def _given(self, before: Item, after: Item) -> None:
        if before.get("answers") != after.get("answers"):
            old, new = (loads(item.get("answers", "{}")) for item in (before, after))
            if any(new.get(key) != said for key, said in old.items()):
                self.wrong("answers-stay", "a recorded answer was lost or replaced")
            for key in (key for key in new if key not in old):
                if is_signal(key) and "value" in new[key] and "id" in new[key]:
                    self.signals.setdefault(topic_of(key), []).append(new[key]["value"])


def _is_put_to_wait(before: Item, after: Item) -> bool:
    """Tell whether a run ended in a wait; what it would wait for may have come by then."""
    if before["status"] != "working":
        return False
    aside = before["phase"] != after["phase"] and after["phase"] in ASIDE
    gone_on = after["phase"] == "run" and before.get("waits") != after.get("waits")
    return aside or gone_on or after["status"] == "input_required"


def _is_set_aside(after: Item) -> bool:
    """Tell whether a task was parked that nobody ran: it is paused, or its agent is gone."""
    why = str(loads(after["parked"])["why"])
    return why.startswith("paused by") or why.endswith("is not deployed")


def _is_given_back(before: Item | None, after: Item) -> bool:
    return before is not None and before["lease_until"] > 0 and after["lease_until"] == 0


def _ended_by_undo(after: Item) -> str:
    """Return how the attempt ended that an undo comes after."""
    error = loads(after["undo"])["error"]
    if error is None:
        return "cancelled"
    return "lost" if error["data"]["type"] == "WorkerLost" else "failed"


def _given_back(kind: str, after: Item) -> str:
    """Return how a lease was given back."""
    if "undo" in after and after["status"] != "working":
        error = loads(after.get("error", "{}"))
        if error.get("data", {}).get("type") != "UndoFailed":
            return "undone"
        lost = "worker was lost", "worker lost", "no worker ended it"
        return (
            "lost" if any(told in error["message"].partition(";")[0] for told in lost) else "failed"
        )
    if kind in {"plan", "sleep", "ask", "receive"}:
        return "suspended"
    if kind == "park":
        return "parked"
    if kind in {"release", "hand back"}:
        return "retried" if kind == "release" else "handed-back"
    if kind == "fail" and '"WorkerLost"' in after["error"]:
        return "lost"
    return str(after["status"])
