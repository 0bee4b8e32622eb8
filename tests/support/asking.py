"""Ask an agent of a house in memory, and see what comes of it."""


async def ask(memory, agent, prompt="go", **request):
    """Run one task to its rest and return what is seen of it."""
    task_id = await memory.submit(agent, request or None, prompt=prompt)
    await memory.settle_down()
    return await memory.see(task_id)
