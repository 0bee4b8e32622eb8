"""Dead letters: what was given up and why; running it again, once a person has agreed."""

# No `from __future__ import annotations`: the SDK has to see the resolver in a tool's signature,
# and that resolver is a function within a function, which no name leads to.
from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Literal

from mcp.server.elicitation import AcceptedElicitation, ElicitationResult
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.resolve import Elicit, Resolve
from pydantic import BaseModel, Field

from sqswarm import Swarm
from sqswarm.dispatcher.lifecycle.dead_letters import DeadLetter
from sqswarm.infra.admin_mcp.context import AdminContext
from sqswarm.infra.admin_mcp.failure import with_fix
from sqswarm.infra.admin_mcp.shape import RUNS_CODE, Shape
from sqswarm.infra.admin_mcp.text import cut_text
from sqswarm.infra.admin_mcp.tools import OperationTool, can_ask
from sqswarm.schemas.naming import UNROUTED

_BODY_LIMIT = 1000
_ALL = 1000


class DeadLetterInfo(Shape):
    """One message that was given up."""

    agent: str
    task_id: str | None = Field(description="Null where it never became a task.")
    reason: str = Field(description="A short word: failed, unparsable, receives-used-up, …")
    detail: str
    attempts: int
    since: str
    body: str = Field(description="The message, cut after 1,000 characters.")


class DeadLetters(Shape):
    """Dead letters; they stay where they are."""

    letters: list[DeadLetterInfo]
    total: int = Field(description="How many there are, by SQS's own count.")
    limited: bool = Field(description="True where there are more.")


class DeadLetterGroupInfo(Shape):
    """An agent's dead letters of one reason."""

    agent: str
    reason: str
    count: int
    oldest: str
    newest: str
    examples: list[DeadLetterInfo]


class DeadLetterGroups(Shape):
    """Dead letters by reason, the largest group first."""

    groups: list[DeadLetterGroupInfo]
    looked_at: int
    total: int = Field(description="How many there are, by SQS's own count.")


class Confirmation(BaseModel):
    """What a person decides."""

    redrive: bool = Field(description="Run these dead letters again?")


class Redriven(Shape):
    """What became of one dead letter."""

    old_task_id: str | None
    new_task_id: str | None = Field(description="Null: the message was moved back as it is.")
    error: str | None = Field(description="Why it was left where it is.")


class Redrive(Shape):
    """What was, or would be, done."""

    outcome: Literal["redriven", "declined", "dry_run", "nothing_there"]
    explanation: str
    letters: list[DeadLetterInfo] = Field(description="The dead letters that were chosen.")
    redriven: list[Redriven]


Agent = Annotated[str, Field(description="An agent of list-agents, or `unrouted`.")]
TaskIds = Annotated[
    list[str] | None, Field(description="Only the dead letters of these tasks; else any.")
]
Reason = Annotated[
    str | None, Field(description="Only those of this reason, from group-dead-letters.")
]
Limit = Annotated[int, Field(ge=1, le=200, description="Dead letters at most.")]


def tools(context: AdminContext) -> Iterator[OperationTool]:
    """Yield the tools of this group."""

    def list_dead_letters(
        agent: Annotated[
            str | None, Field(description="One agent, or `unrouted`; else every agent.")
        ] = None,
        reason: Reason = None,
        limit: Limit = 20,
    ) -> DeadLetters:
        """List messages that were given up, with the reason, the attempts and since when.

        Use it to learn why tasks failed for good. They stay where they are; looking hides
        them from others for a moment. Two or more SQS requests a queue.
        """
        with context.swarm() as swarm:
            queues = [agent] if agent else [*(entry.name for entry in swarm.agents()), UNROUTED]
            pages = [swarm.dead_letters(name, limit=limit, reason=reason) for name in queues]
        found = [letter for page in pages for letter in page]
        total = sum(page.total for page in pages)
        shown = found[:limit]
        limited = len(found) > limit or (len(found) < total if reason is None else False)
        return DeadLetters(
            letters=[_info_of(letter) for letter in shown], total=total, limited=limited
        )

    def group_dead_letters(
        agent: Annotated[
            str | None, Field(description="One agent, or `unrouted`; else every agent.")
        ] = None,
    ) -> DeadLetterGroups:
        """Count messages that were given up by agent and reason, with examples of each.

        Use it first where there are many. They stay where they are; looking hides them from others
        for a moment. One SQS request for ten of them, and at most 10,000 of a queue.
        """
        with context.swarm() as swarm:
            groups = swarm.dead_letter_groups(agent)
        return DeadLetterGroups(
            groups=[
                DeadLetterGroupInfo.model_validate(
                    {**group.to_json(), "examples": [_info_of(one) for one in group.examples]}
                )
                for group in groups
            ],
            looked_at=groups.looked_at,
            total=groups.total,
        )

    @with_fix
    def decide(
        ctx: Context,
        agent: str,
        task_ids: list[str] | None,
        reason: str | None,
        *,
        limit: int,
        confirm: bool,
    ) -> Elicit[Confirmation] | Confirmation:
        """Ask the person where the client can; else take the argument's word."""
        if not can_ask(ctx):
            return Confirmation(redrive=confirm)
        with context.swarm() as swarm:
            letters = _chosen(swarm, agent, task_ids, reason, limit)
        if not letters:
            return Confirmation(redrive=False)
        reasons = Counter(str(letter.to_json()["reason"]) for letter in letters)
        why = ", ".join(f"{count} {reason}" for reason, count in sorted(reasons.items()))
        return Elicit(
            f"Run {len(letters)} dead letter(s) of agent {agent!r} again on {context.where} "
            f"({why})? "
            "Each becomes a new task: the agent's code runs once more, with all its effects.",
            Confirmation,
        )

    def redrive_dead_letters(
        *,
        agent: Agent,
        decision: Annotated[ElicitationResult[Confirmation], Resolve(decide)],
        ctx: Context,
        task_ids: TaskIds = None,
        reason: Reason = None,
        limit: Limit = 10,
        confirm: Annotated[  # noqa: ARG001 - `decide` takes it by name
            bool,
            Field(
                description="Only for clients that cannot ask the user: true after the user has "
                "seen the dry run's result and agreed. Ignored where the client can ask."
            ),
        ] = False,
    ) -> Redrive:
        """Run an agent's dead letters again, after a person has agreed.

        First mend what made them fail, else they fail again. The user is asked by the client; a
        client that cannot ask gets a dry run that says what would happen, and has to call again
        with confirm=true once the user agrees. A failed task becomes a new task with a fresh
        budget, linked to the old; a message that never became a task is moved back as it is. The
        agent's code runs again, with all its effects and costs.
        """
        with context.swarm() as swarm:
            letters = _chosen(swarm, agent, task_ids, reason, limit)
            infos = [_info_of(letter) for letter in letters]
            if not letters:
                return _done("nothing_there", "There are no such dead letters.", infos)
            agreed = isinstance(decision, AcceptedElicitation) and decision.data.redrive
            if not agreed and can_ask(ctx):
                return _done("declined", "The user did not agree. Nothing was changed.", infos)
            if not agreed:
                return _done(
                    "dry_run",
                    f"Nothing was changed. {len(infos)} would be run again. Show this to "
                    "the user; if they agree, call again with the same arguments and confirm=true.",
                    infos,
                )
            results = [
                Redriven(
                    old_task_id=result.letter.task_id,
                    new_task_id=result.new.task_id if result.new else None,
                    error=str(result.error) if result.error else None,
                )
                for result in swarm.redrive_dead_letters(
                    agent, task_ids=task_ids, reason=reason, limit=limit
                )
            ]
        return _done("redriven", "They are on their way: see get-task.", infos, results)

    yield OperationTool(
        name="list-dead-letters", title="List dead letters", function=list_dead_letters
    )
    yield OperationTool(
        name="group-dead-letters", title="Count dead letters", function=group_dead_letters
    )
    yield OperationTool(
        name="redrive-dead-letters",
        title="Run dead letters again",
        function=redrive_dead_letters,
        annotations=RUNS_CODE,
    )


def _chosen(
    swarm: Swarm, agent: str, task_ids: list[str] | None, reason: str | None, limit: int
) -> list[DeadLetter]:
    letters = swarm.dead_letters(agent, limit=limit if task_ids is None else _ALL, reason=reason)
    return [one for one in letters if task_ids is None or one.task_id in task_ids][:limit]


def _info_of(letter: DeadLetter) -> DeadLetterInfo:
    fields = letter.to_json()
    return DeadLetterInfo.model_validate(
        {**fields, "body": cut_text(fields["body"], _BODY_LIMIT)[0]}
    )


def _done(
    outcome: Literal["redriven", "declined", "dry_run", "nothing_there"],
    explanation: str,
    letters: list[DeadLetterInfo],
    redriven: list[Redriven] | None = None,
) -> Redrive:
    return Redrive(
        outcome=outcome, explanation=explanation, letters=letters, redriven=redriven or []
    )
