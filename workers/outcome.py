"""Outcome: what the agent did. Values only; workers.verdict decides what follows."""

from __future__ import annotations

from dataclasses import dataclass

from schemas.results import AGENT_FAILED


class Retry(Exception):
    """Raised by an agent: try this task again later (any other exception means that too)."""

    def __init__(
        self, message: str = "the agent asked for another attempt", *, after: float | None = None
    ) -> None:
        """Say why; `after` is seconds until the next attempt, None for the usual backoff."""
        super().__init__(message)
        self.after = after


class Fail(Exception):
    """Raised by an agent: this task can never succeed; record it as failed now."""

    def __init__(self, message: str, *, type: str = "Fail") -> None:  # noqa: A002 - reads well where it is raised
        """Say why; `type` names the kind of failure in the recorded error."""
        super().__init__(message)
        self.type = type


@dataclass(frozen=True, kw_only=True)
class Returned:
    """The agent returned a valid value; `text` is its JSON, an object."""

    text: str
    wrapped: bool


@dataclass(frozen=True, kw_only=True)
class Broke:
    """This attempt failed, another may not. `after_s` overrides the backoff."""

    error_type: str
    message: str
    after_s: float | None = None


@dataclass(frozen=True, kw_only=True)
class Failed:
    """No attempt can succeed."""

    error_type: str
    message: str
    code: int = AGENT_FAILED


Outcome = Returned | Broke | Failed
