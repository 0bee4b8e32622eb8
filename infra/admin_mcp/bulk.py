"""Bulk: all tasks that match, run again or cancelled, once a person has agreed to how many."""

# No `from __future__ import annotations`: as in dead_letters.
from collections.abc import Callable, Iterator
from datetime import datetime
from typing import Annotated, Any, Literal, TypedDict

from mcp.server.elicitation import AcceptedElicitation, ElicitationResult
from mcp.server.mcpserver import Context
from mcp.server.mcpserver.resolve import Elicit, Resolve
from pydantic import BaseModel, Field

from sqswarm.dispatcher.async_client import Filters
from sqswarm.dispatcher.bulk import Act, Acted, Matched
from sqswarm.infra.admin_mcp.context import AdminContext
from sqswarm.infra.admin_mcp.failure import with_fix
from sqswarm.infra.admin_mcp.shape import ENDS, RUNS_CODE, Shape
from sqswarm.infra.admin_mcp.tasks import TaskStatus
from sqswarm.infra.admin_mcp.tools import OperationTool, can_ask

_LIMIT = 1000
_TOLD_ERRORS = 20


class Which(BaseModel):
    """Which tasks are meant: all that is given has to fit."""

    agent: str | None = Field(default=None, description="Only this agent's.")
    status: TaskStatus | None = Field(default=None, description="Only tasks of this status.")
    error_type: str | None = Field(default=None, description="Only failed with this type of error.")
    since: datetime | None = Field(default=None, description="Only since then.")
    until: datetime | None = Field(default=None, description="Only until then.")
    where: dict[str, str] = Field(
        default_factory=dict, description="Only tasks with these tags, by name."
    )

    def filters(self) -> Filters:
        """Return it as the swarm takes it."""
        given: Filters = {
            "status": self.status,
            "agent": self.agent,
            "since": self.since,
            "until": self.until,
            "error_type": self.error_type,
            "where": self.where,
        }
        return given


class Agreement(BaseModel):
    """What a person decides."""

    go_on: bool = Field(description="Do it with all of them?")


class BulkResult(Shape):
    """What was, or would be, done."""

    outcome: Literal["done", "declined", "dry_run", "nothing_there"]
    explanation: str
    matched: int = Field(description="Tasks that fitted when they were counted.")
    more: bool = Field(description="True where there may be more than were counted.")
    by_agent: dict[str, int]
    by_error_type: dict[str, int]
    done: int = Field(description="Tasks that it was done with.")
    refused: list[str] = Field(description="Why some were left as they are, 20 at most.")


class Bounds(TypedDict):
    """How many at most, and how fast."""

    limit: int
    rate_per_s: float | None


Wanted = Annotated[Which, Field(description="Which tasks; give at least one of its fields.")]
Limit = Annotated[int, Field(ge=1, le=_LIMIT, description="Tasks at most; repeat for more.")]
Rate = Annotated[float | None, Field(gt=0, description="How many in a second at most.")]
FromStep = Annotated[
    str | None,
    Field(
        description="A step's name, or `end` for all up to where a task ended: what was recorded "
        "before it is kept, and neither paid nor done again."
    ),
]
Confirm = Annotated[
    bool,
    Field(
        description="Only for clients that cannot ask the user: true after the user has seen the "
        "dry run's result and agreed. Ignored where the client can ask."
    ),
]


def tools(context: AdminContext) -> Iterator[OperationTool]:
    """Yield the tools of this group."""
    decide_redrive = _asking(context, Act.REDRIVE, "Run again")
    decide_cancel = _asking(context, Act.CANCEL, "Cancel, with their child tasks,")

    def redrive_tasks(
        *,
        which: Wanted,
        decision: Annotated[ElicitationResult[Agreement], Resolve(decide_redrive)],
        ctx: Context,
        limit: Limit = 100,
        rate: Rate = None,
        from_step: FromStep = None,
        confirm: Confirm = False,  # noqa: ARG001 - `decide` takes it by name
    ) -> BulkResult:
        """Run all ended tasks that match again, after a person has agreed to how many.

        Failed ones, unless `which` names another status. First mend what made them fail. The user
        is asked by the client; a client that cannot ask gets a dry run, and has to call again with
        confirm=true once the user agrees. Each becomes a new task, once: a repeat passes over those
        that were redriven. The agents' code runs again, with all its effects and costs, or
        from a step on.
        """
        return _carry_out(
            context,
            Act.REDRIVE,
            which,
            ctx=ctx,
            decision=decision,
            limit=limit,
            rate=rate,
            from_step=from_step,
        )

    def cancel_tasks(
        *,
        which: Wanted,
        decision: Annotated[ElicitationResult[Agreement], Resolve(decide_cancel)],
        ctx: Context,
        limit: Limit = 100,
        rate: Rate = None,
        confirm: Confirm = False,  # noqa: ARG001 - `decide` takes it by name
    ) -> BulkResult:
        """Cancel all tasks that match and have not ended, after a person has agreed to how many.

        Their child tasks are cancelled too; it cannot be undone. Tasks that no worker has had yet
        may have no record, and are not found. The user is asked by the client; a client that cannot
        ask gets a dry run, and has to call again with confirm=true once the user agrees.
        """
        return _carry_out(
            context, Act.CANCEL, which, ctx=ctx, decision=decision, limit=limit, rate=rate
        )

    yield OperationTool(
        name="redrive-tasks",
        title="Run many tasks again",
        function=redrive_tasks,
        annotations=RUNS_CODE,
    )
    yield OperationTool(
        name="cancel-tasks", title="Cancel many tasks", function=cancel_tasks, annotations=ENDS
    )


def _asking(context: AdminContext, act: Act, question: str) -> Callable[..., Any]:
    """Return what asks the person before an act, where the client can."""

    @with_fix
    def decide(
        ctx: Context,
        which: Which,
        limit: int,
        confirm: bool,  # noqa: FBT001 - the tool's arguments, by name
    ) -> Elicit[Agreement] | Agreement:
        """Ask the person where the client can; else take the argument's word."""
        if not can_ask(ctx):
            return Agreement(go_on=confirm)
        matched = _count(context, act, which, limit)
        if not matched.count:
            return Agreement(go_on=False)
        return Elicit(f"{question} {_told(matched)} on {context.where}?", Agreement)

    return decide


def _carry_out(
    context: AdminContext,
    act: Act,
    which: Which,
    *,
    ctx: Context,
    decision: ElicitationResult[Agreement],
    limit: int,
    rate: float | None,
    from_step: str | None = None,
) -> BulkResult:
    """Do it where the person has agreed; else say what would be done."""
    matched = _count(context, act, which, limit)
    if not matched.count:
        return _result("nothing_there", "There are no such tasks.", matched)
    if not (isinstance(decision, AcceptedElicitation) and decision.data.go_on):
        if can_ask(ctx):
            return _result("declined", "The user did not agree. Nothing was changed.", matched)
        why = (
            "Nothing was changed. Show this to the user; if they agree, call again with the "
            "same arguments and confirm=true."
        )
        return _result("dry_run", why, matched)
    with context.swarm() as swarm:
        bounds: Bounds = {"limit": limit, "rate_per_s": rate}
        if act is Act.REDRIVE:
            acts = [*swarm.redrive_matching(from_step=from_step, **bounds, **which.filters())]
        else:
            acts = [*swarm.cancel_matching(**bounds, **which.filters())]
    return _result("done", "A repeat goes on with what is left.", matched, acts)


def _count(context: AdminContext, act: Act, which: Which, limit: int) -> Matched:
    with context.swarm() as swarm:
        return swarm.count_matching(act, limit=limit, **which.filters())


def _told(matched: Matched) -> str:
    counts = matched.by_error_type or matched.by_agent
    told = ", ".join(f"{count} {name}" for name, count in sorted(counts.items()))
    return f"{matched.count} task(s) ({told})"


def _result(
    outcome: Literal["done", "declined", "dry_run", "nothing_there"],
    explanation: str,
    matched: Matched,
    acts: list[Acted] | None = None,
) -> BulkResult:
    refused = [f"{one.task_id}: {one.error}" for one in acts or () if one.error]
    return BulkResult(
        outcome=outcome,
        explanation=explanation,
        matched=matched.count,
        more=matched.more,
        by_agent=dict(matched.by_agent),
        by_error_type=dict(matched.by_error_type),
        done=len(acts or ()) - len(refused),
        refused=refused[:_TOLD_ERRORS],
    )
