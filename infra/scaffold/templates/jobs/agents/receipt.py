"""Receipt: a job that is tried again when the world is not ready."""

from sqswarm import Fail, Retry, TaskContext, agent

from agents import mail


@agent(timeout=20, max_attempts=5, topics=["orders"], rate="50/minute")
async def receipt(ctx: TaskContext, order: str, email: str, cents: int) -> str:
    """Mail a receipt; says the mail's id."""
    if "@" not in email:
        raise Fail(f"{email!r} is no address", type="BadAddress")  # no attempt can mend it
    text = f"Order {order}: {cents / 100:.2f} paid. Thank you!"
    try:
        return mail.send(email, text, key=f"{order}-receipt")
    except mail.MailServerBusy as busy:
        raise Retry(str(busy), after=30) from busy  # any other exception is tried again too
