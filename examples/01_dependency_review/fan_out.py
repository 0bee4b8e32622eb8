"""The only file that talks to the swarm: publish, wait, join, and keep count."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

from dependency_review.package import Package
from review import Review

TOPIC = "packages"
# Events are large; a few at a time keeps memory low and lets workers start at once.
PUBLISHED_AT_ONCE = 10


class Task(Protocol):
    """What we use of a task's handle."""

    id: str
    agent: str

    def status(self) -> Any:
        """Return one of MCP's statuses."""
        ...

    def result(self, timeout: float | None = None) -> Any:
        """Return what the agent returned."""
        ...

    @property
    def error(self) -> Exception | None:
        """Return why the task failed."""
        ...


class SwarmCalls(Protocol):
    """What we use of `dispatcher.Swarm`."""

    def publish_many(
        self, topic: str, payloads: Sequence[dict[str, Any]]
    ) -> Sequence[Sequence[Task]]:
        """Publish events; return each one's tasks."""
        ...

    def submit(self, agent: str, /, **arguments: Any) -> Task:
        """Submit one task."""
        ...

    def wait(self, tasks: Iterable[str], timeout: float | None = None) -> Iterator[Task]:
        """Yield tasks as they end."""
        ...


@dataclass(kw_only=True)
class Tally:
    """How the tasks went, and which are still out: what an interrupted run has to tell."""

    submitted: int = 0
    completed: int = 0
    failed: int = 0
    running: dict[str, str] = field(default_factory=dict)

    def line(self) -> str:
        """The run's last line."""
        return (
            f"tasks: {self.submitted} submitted, {self.completed} completed, {self.failed} failed"
        )


class FanOut:
    """One run over a list of distributions."""

    def __init__(
        self,
        swarm: SwarmCalls,
        packages: Sequence[Package],
        *,
        timeout_s: float | None = None,
        with_summary: bool = False,
        on_change: Callable[[Tally], None] = lambda _: None,
    ) -> None:
        """`on_change` is called whenever a task is submitted or ends."""
        self.tally = Tally()
        self.reviews = [Review.of(package) for package in packages]
        self._swarm = swarm
        self._packages = packages
        self._timeout_s = timeout_s
        self._with_summary = with_summary
        self._on_change = on_change
        self._review_of: dict[str, Review] = {}
        self._waiting: dict[str, int] = {}

    def run(self) -> list[Review]:
        """Enrich, join and, where asked for, summarise; a failed task costs only its own finding.

        Raises what the swarm raises when it cannot be reached or `timeout_s` is over.
        """
        self._publish()
        profiles: list[str] = []
        for task, review in self._ended(list(self.tally.running)):
            self._keep(task, review)
            self._waiting[review.name] -= 1
            if not self._waiting[review.name]:
                findings = {
                    **review.findings,
                    **{agent: {"error": why} for agent, why in review.errors.items()},
                }
                profiles.append(self._submit(review, "profile", findings=findings))
        summaries: list[str] = []
        for task, review in self._ended(profiles):
            self._keep(task, review)
            if self._with_summary and review.profile is not None:
                summaries.append(
                    self._submit(review, "summary", profile=review.profile, about=review.about)
                )
        for task, review in self._ended(summaries):
            self._keep(task, review)
        return sorted(self.reviews, key=lambda review: review.rank)

    def _publish(self) -> None:
        for start in range(0, len(self._packages), PUBLISHED_AT_ONCE):
            chunk = self._packages[start : start + PUBLISHED_AT_ONCE]
            events = self._swarm.publish_many(
                TOPIC, [{"package": p.model_dump(mode="json")} for p in chunk]
            )
            for review, tasks in zip(self.reviews[start : start + len(chunk)], events, strict=True):
                self._waiting[review.name] = len(tasks)
                for task in tasks:
                    self._register(task, review)

    def _submit(self, review: Review, agent: str, **arguments: Any) -> str:
        task = self._swarm.submit(agent, name=review.name, version=review.version, **arguments)
        self._register(task, review)
        return task.id

    def _register(self, task: Task, review: Review) -> None:
        self._review_of[task.id] = review
        self.tally.submitted += 1
        self.tally.running[task.id] = f"{task.agent} of {review.name}"
        self._on_change(self.tally)

    def _ended(self, task_ids: list[str]) -> Iterator[tuple[Task, Review]]:
        if not task_ids:
            return
        for task in self._swarm.wait(task_ids, timeout=self._timeout_s):
            self.tally.running.pop(task.id, None)
            yield task, self._review_of[task.id]
            self._on_change(self.tally)

    def _keep(self, task: Task, review: Review) -> None:
        """Put a finished task's result, or the reason why there is none, where it belongs."""
        if task.status() != "completed":
            self.tally.failed += 1
            review.errors[task.agent] = str(task.error or task.status())
            return
        self.tally.completed += 1
        value = task.result()
        if task.agent == "profile":
            review.profile = value
        elif task.agent == "summary":
            review.summary = value["text"]
        else:
            review.findings[task.agent] = value
