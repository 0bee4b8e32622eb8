"""The only file that talks to the swarm: publish, wait, join, and keep count."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

from dependency_review.package import Package
from dependency_review.summary import prompt

from sqswarm import Swarm, Task

# Events are large; a few at a time keeps memory low and lets workers start at once.
PUBLISHED_AT_ONCE = 10


@dataclass(kw_only=True)
class Review:
    """What the run gathers about one distribution, from any mix of finished and failed tasks."""

    package: Package
    results: dict[str, Any] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    waiting_for: int = 0

    @property
    def findings(self) -> dict[str, Any]:
        """What the enriching agents returned, by agent."""
        joins = {"profile", "summary"}
        return {agent: self.results[agent] for agent in sorted(self.results.keys() - joins)}


@dataclass(kw_only=True)
class FanOut:
    """One run over a list of distributions: a failed task costs only its own finding."""

    swarm: Swarm
    packages: Sequence[Package]
    timeout_s: float | None = None
    with_summary: bool = False
    on_change: Callable[[FanOut], None] = lambda _: None
    running: dict[str, tuple[str, Review]] = field(default_factory=dict)
    submitted: int = 0
    completed: int = 0
    failed: int = 0

    def run(self) -> list[Review]:
        """Enrich, join and, where asked for, summarise.

        Raises what the swarm raises when it cannot be reached or `timeout_s` is over.
        """
        reviews = [Review(package=package) for package in self.packages]
        for start in range(0, len(reviews), PUBLISHED_AT_ONCE):
            chunk = reviews[start : start + PUBLISHED_AT_ONCE]
            events = [{"package": review.package.model_dump(mode="json")} for review in chunk]
            # Each event becomes one task of every agent that subscribes to the topic.
            for review, tasks in zip(
                chunk, self.swarm.publish_many("packages", events), strict=True
            ):
                review.waiting_for = len(tasks)
                self._started(review, *tasks)
        while self.running:  # once for the findings, once for the profiles, once for the summaries
            for task in self.swarm.wait(list(self.running), timeout=self.timeout_s):
                _, review = self.running.pop(task.id)
                self._keep(review, task)
                self._go_on(review, task.agent)
                self.on_change(self)
        return reviews

    def _started(self, review: Review, *tasks: Task) -> None:
        self.submitted += len(tasks)
        self.running |= {task.id: (task.agent, review) for task in tasks}

    def _keep(self, review: Review, task: Task) -> None:
        """Put a finished task's result, or the reason why there is none, where it belongs."""
        if task.status() == "completed":
            self.completed += 1
            review.results[task.agent] = task.result()
        else:
            self.failed += 1
            review.errors[task.agent] = str(task.error() or task.status())

    def _go_on(self, review: Review, ended: str) -> None:
        """Start what the end of a task makes possible."""
        review.waiting_for -= 1
        package, profile = review.package, review.results.get("profile")
        if ended == "profile" and profile and self.with_summary:
            asked = prompt(package.name, package.header("summary") or "", profile)
            self._started(review, self.swarm.submit("summary", prompt=asked))
        elif not review.waiting_for:
            errors = {agent: {"error": why} for agent, why in review.errors.items()}
            found = review.findings | errors
            task = self.swarm.submit(
                "profile", package=package.name, findings=found, installed=package.installed
            )
            self._started(review, task)
