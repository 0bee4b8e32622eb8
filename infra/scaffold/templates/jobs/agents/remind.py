"""Remind: a job that waits for days, and costs nothing meanwhile."""

from sqswarm import TaskContext, agent

from agents import mail

DAY_S = 24 * 3600


@agent(timeout=20, topics=["orders"])
async def remind(ctx: TaskContext, order: str, email: str, cents: int) -> list[str]:
    """Ask for a review after three days, and once more after a week; says the mails' ids."""
    sent = []
    for days in (3, 4):
        await ctx.sleep(days * DAY_S)  # no worker, no message: the swarm wakes it
        text = f"How do you like order {order}?"
        key = f"{order}-review-{days}"
        # Recorded: whatever kills a worker after it, this mail is not sent a second time.
        sent.append(await ctx.step(f"mail after {days} days", mail.send, email, text, key=key))
    return sent
