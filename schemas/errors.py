"""Errors a caller can act on: one class per decision, each with a hint that says what to do."""

from __future__ import annotations

from typing import Any, ClassVar


class SwarmError(Exception):
    """Root of every error this project raises on purpose.

    `hint` is one sentence that says what to do about it; `exit_code` is what the
    command line ends with when the error reaches it.
    """

    hint: str = "Run `sqswarm doctor`: it checks the set-up and says how to mend it."
    exit_code: ClassVar[int] = 1

    def __init__(self, message: str, *, hint: str | None = None) -> None:
        """Keep the message; replace the class's hint where the raiser knows better."""
        super().__init__(message)
        if hint is not None:
            self.hint = hint


class UsageError(SwarmError):
    """The request itself is wrong; nothing was sent."""

    hint = "Check the spelling against `sqswarm --help`."
    exit_code = 2


class InvalidArguments(UsageError):
    """Arguments do not fit the agent's input schema; nothing was published."""

    hint = "See the agent's schema with `sqswarm agents --json`."


class UnknownAgent(UsageError):
    """No deployed agent has this name."""

    hint = "List what is deployed with `sqswarm agents`; deploy new code with `sqswarm deploy`."


class UnknownCursor(UsageError):
    """No page of this listing ended there."""

    hint = "Begin anew, without a cursor."


class UndeclaredCall(UsageError):
    """An agent calls another that its role gives it no way to; nothing was started."""

    hint = "Declare it, @agent(calls=[...]), and deploy: the role follows."


class UnknownTopic(UsageError):
    """No deployed agent subscribes to this topic."""

    hint = "An agent declares its topics: @agent(topics=[...]); then `sqswarm deploy`."


class PayloadTooLarge(UsageError):
    """A payload is over what even a claim check may carry; nothing was published."""

    hint = "Put the data in S3 yourself and pass its address, or split the work into more tasks."


class InvalidAgent(UsageError):
    """An agent's declaration cannot work; found when it is declared, not when it runs."""

    hint = "Mend the @agent(...) declaration that the message names."


class NotifyRefused(UsageError):
    """Somebody is to be told of a task's end whom this stage does not tell; nothing was sent."""

    hint = "Name the target in pyproject.toml, [tool.sqswarm] notify = [...], and deploy."


class InvalidSettings(UsageError):
    """An environment variable or option has a value that cannot work."""

    hint = "Correct the value that the message names."


class SecretNotFound(SwarmError):
    """A reference names a secret that is not there, or not readable."""

    hint = (
        "Create the secret, or correct the reference: env:NAME, ssm:/path or secretsmanager:name."
    )


class IdempotencyConflict(UsageError):
    """The idempotency key was used before with other arguments; nothing was published."""

    hint = "Use a new idempotency_key for new arguments, or the old arguments for the old key."


class Backlogged(SwarmError):
    """The agent's oldest message is older than the caller bears; nothing was submitted."""

    hint = 'Submit later, or with when_behind="wait"; `sqswarm stats` shows what waits.'
    exit_code = 4


class TaskNotFound(SwarmError):
    """No record of this task is visible to this principal."""

    hint = (
        "Check the id and the stage (SQSWARM_STAGE). A standard task has no record until a "
        "worker acquires it: ask again in a moment, or submit with durable=True."
    )


class TaskEnded(UsageError):
    """The task has ended, so what was sent can reach it no more; nothing was recorded."""

    hint = "Submit a new task, and send it there."


class TaskFailed(SwarmError):
    """The task ended `failed`. `error` is its JSON-RPC error object."""

    hint = (
        "See the error with `sqswarm get ID`, and what the agent logged with `sqswarm logs AGENT`."
    )

    def __init__(self, task_id: str, error: dict[str, Any], *, hint: str | None = None) -> None:
        """Say which task failed and with what error type and message."""
        data = error.get("data") or {}
        self.task_id = task_id
        self.error = error
        self.error_type = str(data.get("type", "error"))
        super().__init__(
            f"task {task_id} failed: {self.error_type}: {error.get('message', '')}", hint=hint
        )


class TaskCancelled(SwarmError):
    """The task ended `cancelled`, so it has no result."""

    hint = "Submit it again if it was cancelled by mistake."


class InputRequired(SwarmError):
    """The task waits for a person, so waiting for its result alone would never end.

    `task_id` is the task's; `questions` are what it asks, by their keys, each with its `message`
    and the `schema` of its answer. Both are empty for a task of an MCP server elsewhere.
    """

    hint = "See the question with `sqswarm inbox`, and answer with `sqswarm answer ID KEY JSON`."
    exit_code = 5

    def __init__(
        self,
        message: str,
        *,
        hint: str | None = None,
        task_id: str = "",
        questions: dict[str, dict[str, Any]] | None = None,
    ) -> None:
        """Say who asks what."""
        super().__init__(message, hint=hint)
        self.task_id = task_id
        self.questions = questions or {}


class TimedOut(SwarmError):
    """The time-out ended before the task did; the task goes on."""

    hint = "The task goes on: ask again with `sqswarm wait ID`, or raise the time-out."
    exit_code = 4


class Unreachable(SwarmError):
    """No answer from the endpoint, none but that it is overloaded, or no permission for one."""

    hint = "Start the local stack with `sqswarm up`, or check AWS_ENDPOINT_URL and credentials."
    exit_code = 3


class NotDeployed(SwarmError):
    """The endpoint answers, but this stage has no swarm on it."""

    hint = "Run `sqswarm deploy` (and check SQSWARM_STAGE)."
    exit_code = 3


class DeployFailed(SwarmError):
    """A resource could not be created or updated; the message names it and says why."""

    hint = "Mend what the message names and run `sqswarm deploy` again: it continues."


class UnfitCode(SwarmError):
    """Code does otherwise than tasks that are under way have recorded: they would be parked."""

    exit_code = 1
    hint = (
        'Let both go on: `if ctx.patched("name"):` the new way, `else:` the old. Or `sqswarm '
        "deploy --force`: what does not fit is parked until code that fits is deployed."
    )


class PoisonMessage(SwarmError):
    """A delivery that no agent can ever run. `reason` is a short machine-readable word."""

    hint = "See it with `sqswarm dlq`; deploy what it needs, then `sqswarm redrive` runs it again."

    def __init__(self, reason: str, message: str) -> None:
        """Keep the reason beside the sentence."""
        super().__init__(message)
        self.reason = reason


class NotStorable(SwarmError):
    """The table can never hold this: an item or a key over DynamoDB's limits."""

    hint = "Keep what is large in S3 and pass its address; keep names short."


class InvalidReturn(SwarmError):
    """The agent returned a value that breaks its own declared return type."""

    hint = "Return what the signature promises, or change the annotation and deploy."


class LeaseLost(SwarmError):
    """Another worker holds the task now: this attempt's result was refused."""

    hint = "Raise `timeout` in @agent(...), or split the task."


class AttemptCancelled(LeaseLost):
    """The task was cancelled while this attempt ran: stop, nothing it returns will count."""

    hint = "Let it pass, or clean up and return."


class ChildFailed(SwarmError):
    """A child task ended `failed` or `cancelled`. `error` is its JSON-RPC error object."""

    hint = "Catch ChildFailed, or gather with return_exceptions=True, to go on without it."

    def __init__(self, task_id: str, agent: str, error: dict[str, Any]) -> None:
        """Say which child failed and with what error type and message."""
        data = error.get("data") or {}
        self.task_id = task_id
        self.agent = agent
        self.error = error
        self.error_type = str(data.get("type", "error"))
        message = f"child task {task_id} of {agent!r} failed: {self.error_type}"
        super().__init__(f"{message}: {error.get('message', '')}")


class StepFailed(SwarmError):
    """A step raised, after its own retries. `error_type` and its message are the step's."""

    hint = "Catch StepFailed to go on without it: the failure is then recorded like an outcome."

    def __init__(self, name: str, error_type: str, message: str) -> None:
        """Say which step failed and how."""
        self.name = name
        self.error_type = error_type
        self.reason = message
        super().__init__(f"step {name!r} failed: {error_type}: {message}")


class RemoteFailed(SwarmError):
    """A tool of an MCP server elsewhere failed. `error_type` and `reason` are the server's."""

    hint = "Catch RemoteFailed to go on without it: the failure is recorded, the call not repeated."

    def __init__(self, tool: str, error_type: str, message: str) -> None:
        """Say which tool failed and how."""
        self.tool = tool
        self.error_type = error_type
        self.reason = message
        super().__init__(f"remote tool {tool!r} failed: {error_type}: {message}")


class AskTimedOut(SwarmError):
    """Nobody answered a question in time. `key` is the question's."""

    hint = "Catch AskTimedOut, or pass on_timeout=<an answer> to ctx.ask."

    def __init__(self, key: str) -> None:
        """Say which question it was."""
        self.key = key
        super().__init__(f"nobody answered {key!r} in time")


class AskDeclined(SwarmError):
    """The person declined to answer. `key` is the question's."""

    hint = "Catch AskDeclined and go on without the answer."

    def __init__(self, key: str) -> None:
        """Say which question it was."""
        self.key = key
        super().__init__(f"{key!r} was asked, and declined")


class ReceiveTimedOut(SwarmError):
    """Nobody sent anything in time. `topic` is the signal's."""

    hint = "Catch ReceiveTimedOut, or pass on_timeout=<a value> to ctx.receive."

    def __init__(self, topic: str) -> None:
        """Say which topic it was."""
        self.topic = topic
        super().__init__(f"nothing was sent to {topic!r} in time")


class PublishFailed(SwarmError):
    """Some messages were refused after every retry; `failed` lists their ids."""

    hint = "Submit those again with an idempotency_key: what did get through is not repeated."

    def __init__(self, message: str, failed: list[str]) -> None:
        """Keep the ids of what was not published."""
        super().__init__(message)
        self.failed = failed
