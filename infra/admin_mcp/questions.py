"""Questions: tasks that wait for somebody's answer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Annotated, Any

from pydantic import Field

from sqswarm.infra.admin_mcp.context import AdminContext
from sqswarm.infra.admin_mcp.shape import CHANGES, Shape
from sqswarm.infra.admin_mcp.tasks import Ended, TaskId
from sqswarm.infra.admin_mcp.tools import OperationTool
from sqswarm.schemas.json import JsonObject


class Question(Shape):
    """One open question."""

    task_id: str
    agent: str
    key: str = Field(description="Names the question for answer-question.")
    message: str
    answer_schema: JsonObject = Field(description="JSON schema that the answer must fit.")
    asked_at: str


class Inbox(Shape):
    """Questions that wait for people."""

    questions: list[Question]


def tools(context: AdminContext) -> Iterator[OperationTool]:
    """Yield the tools of this group."""

    def list_inbox(
        agent: Annotated[str | None, Field(description="Only this agent's questions.")] = None,
        limit: Annotated[int, Field(ge=1, le=200, description="Tasks at most.")] = 50,
    ) -> Inbox:
        """List the questions that tasks have put to people and wait to have answered.

        Show them to the user; answer with answer-question only what the user has decided. Changes
        nothing, but reads the whole task table.
        """
        with context.swarm() as swarm:
            views = swarm.inbox(agent=agent, limit=limit)
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
            ]
        )

    def answer_question(
        task_id: TaskId,
        key: Annotated[str, Field(description="The question's key, from list-inbox.")],
        answer: Annotated[Any, Field(description="JSON that fits the question's answerSchema.")],
    ) -> Ended:
        """Answer a question on the user's behalf; the task goes on once none is open.

        Only with an answer the user gave: agents ask because a person has to decide. It cannot be
        taken back. A wrong answer's shape is refused, with the reason; a late one is ignored.
        """
        with context.swarm() as swarm:
            status = swarm.answer(task_id, key, answer)
        return Ended.model_validate({"taskId": task_id, "status": status.value})

    yield OperationTool(name="list-inbox", title="List open questions", function=list_inbox)
    yield OperationTool(
        name="answer-question",
        title="Answer a question",
        function=answer_question,
        annotations=CHANGES,
    )
