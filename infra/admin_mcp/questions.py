"""Questions: tasks that wait for somebody's answer, which that somebody has to agree to."""

# No `from __future__ import annotations`: as in dead_letters.
from collections.abc import Iterator
from typing import Annotated, Any, Literal

from mcp.server.elicitation import AcceptedElicitation, ElicitationResult
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.resolve import Elicit, Resolve
from pydantic import BaseModel, Field

from sqswarm import Swarm
from sqswarm.dispatcher.lifecycle.answer import check_answer
from sqswarm.infra.admin_mcp.context import AdminContext
from sqswarm.infra.admin_mcp.failure import with_fix
from sqswarm.infra.admin_mcp.shape import CHANGES, Shape
from sqswarm.infra.admin_mcp.tasks import TaskId, TaskStatus
from sqswarm.infra.admin_mcp.text import cut
from sqswarm.infra.admin_mcp.tools import OperationTool, can_ask
from sqswarm.schemas.errors import InvalidArguments
from sqswarm.schemas.json import JsonObject
from sqswarm.schemas.lifecycle import Status

_SHOWN = 2000


class Question(Shape):
    """One open question."""

    task_id: str
    agent: str
    key: str = Field(description="Names the question for answer-question.")
    message: str
    answer_schema: JsonObject = Field(description="JSON schema that the answer must fit.")
    asked_at: str


class Agreement(BaseModel):
    """What a person decides."""

    send: bool = Field(description="Is this your answer?")


class Answered(Shape):
    """What became of an answer."""

    task_id: str
    outcome: Literal["answered", "declined", "dry_run", "not_open"]
    explanation: str
    status: TaskStatus


class Inbox(Shape):
    """Questions that wait for people."""

    questions: list[Question]
    cursor: str | None = Field(description="Give it to list-inbox for more; null at the end.")
    total: int | None = Field(description="How many tasks wait in all, where that is known.")


def tools(context: AdminContext) -> Iterator[OperationTool]:
    """Yield the tools of this group."""

    def list_inbox(
        agent: Annotated[str | None, Field(description="Only this agent's questions.")] = None,
        cursor: Annotated[str | None, Field(description="From the page before.")] = None,
        limit: Annotated[int, Field(ge=1, le=200, description="Tasks at most.")] = 50,
    ) -> Inbox:
        """List the questions that tasks have put to people and wait to have answered.

        Show them to the user; answer with answer-question only what the user has decided. Changes
        nothing.
        """
        with context.swarm() as swarm:
            views = swarm.inbox(agent=agent, limit=limit, cursor=cursor)
        return Inbox(
            questions=[
                Question.model_validate(
                    {
                        "taskId": view.id,
                        "agent": view.record.agent,
                        "key": key,
                        "message": question["params"]["message"],
                        "answerSchema": question["params"]["requestedSchema"],
                        "askedAt": view.to_json()["lastUpdatedAt"],
                    }
                )
                for view in views
                for key, question in view.to_json().get("inputRequests", {}).items()
            ],
            cursor=views.cursor,
            total=views.total,
        )

    @with_fix
    def decide(
        ctx: Context,
        task_id: str,
        key: str,
        answer: Any,
        confirm: bool,  # noqa: FBT001 - the tool's arguments, by name
    ) -> Elicit[Agreement] | Agreement:
        """Ask the person where the client can; else take the argument's word."""
        if not can_ask(ctx):
            return Agreement(send=confirm)
        with context.swarm() as swarm:
            question = _open_question(swarm, task_id, key)
        if question is None:
            return Agreement(send=False)
        check_answer(key, question, answer)  # nobody is asked about what would be refused
        return Elicit(
            f"Task {task_id} on {context.where} asks: {cut(question['message'], _SHOWN)[0]} "
            f"Answer {cut(answer, _SHOWN)[0]}? It cannot be taken back.",
            Agreement,
        )

    def answer_question(
        *,
        task_id: TaskId,
        key: Annotated[str, Field(description="The question's key, from list-inbox.")],
        answer: Annotated[Any, Field(description="JSON that fits the question's answerSchema.")],
        decision: Annotated[ElicitationResult[Agreement], Resolve(decide)],
        ctx: Context,
        confirm: Annotated[  # noqa: ARG001 - `decide` takes it by name
            bool,
            Field(
                description="Only for clients that cannot ask the user: true after the user has "
                "seen question and answer and agreed. Ignored where the client can ask."
            ),
        ] = False,
    ) -> Answered:
        """Answer a question on the user's behalf; the task goes on once none is open.

        Only with an answer the user gave: agents ask because a person has to decide. The user is
        asked by the client whether it is theirs; a client that cannot ask gets a dry run, and has
        to call again with confirm=true once the user agrees. It cannot be taken back. An answer
        of the wrong shape is refused, with the reason; a late one is ignored.
        """
        agreed = isinstance(decision, AcceptedElicitation) and decision.data.send

        def done(outcome: str, explanation: str, status: Status) -> Answered:
            fields = {"outcome": outcome, "explanation": explanation, "status": status.value}
            return Answered.model_validate({"taskId": task_id, **fields})

        with context.swarm() as swarm:
            question = _open_question(swarm, task_id, key)
            if question is None:
                status = swarm.get(task_id).status
                return done("not_open", "It waits for no such answer any more.", status)
            if agreed:
                status = swarm.answer(task_id, key, answer)
                return done("answered", "See get-task for how it goes on.", status)
            if can_ask(ctx):
                why = "The user did not agree. Nothing was answered."
                return done("declined", why, Status.INPUT_REQUIRED)
            check_answer(key, question, answer)
            why = (
                "Nothing was answered. Show the user the question and this answer; if they agree, "
                "call again with the same arguments and confirm=true."
            )
            return done("dry_run", why, Status.INPUT_REQUIRED)

    yield OperationTool(name="list-inbox", title="List open questions", function=list_inbox)
    yield OperationTool(
        name="answer-question",
        title="Answer a question",
        function=answer_question,
        annotations=CHANGES,
    )


def _open_question(swarm: Swarm, task_id: str, key: str) -> JsonObject | None:
    """Return what the record keeps of a question; None where it is open no longer."""
    record = swarm.get(task_id).record
    if record.status is not Status.INPUT_REQUIRED or key in record.answers:
        return None
    if key not in record.asks:
        message = f"task {task_id} asks nothing called {key!r}"
        raise InvalidArguments(message, hint=f"Open are: {', '.join(record.asks)}.")
    return dict(record.asks[key])
