"""Ask an agent of a house in memory, and see what comes of it."""


async def ask(house, agent, prompt="go", **request):
    """Run one task to its rest and return what is seen of it."""
    task_id = await house.submit(agent, request or None, prompt=prompt)
    await house.settle_down()
    return await house.see(task_id)
