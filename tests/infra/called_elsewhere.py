"""Another module that called_code uses."""

from sqswarm import agent


@agent
def far(text: str) -> str:
    """Call nobody."""
    return text


async def helper_elsewhere(number, context):
    return await context.call(far, text=str(number))


class Holder:
    def __init__(self, ctx):
        self.ctx = ctx

    async def go(self):
        await self.ctx.call("hidden")
