"""FastMCP's client with its Tasks extension, against the server whose address it is given."""

import asyncio
import json
import sys
import time

import fastmcp
from fastmcp_tasks.client import call_tool_task


async def agree(message, response_type, params, context):
    """Say yes to whatever is asked."""
    return {"confirm": True}


async def main(url):
    """Run a short task, a long one, a question and a cancel; print what came of them."""
    said = {}
    async with fastmcp.Client(url, elicitation_handler=agree) as client:
        greeting = await client.call_tool("slow_compute", {"seconds": 0.1, "label": "short"})
        said["short"] = greeting.content[0].text
        began = time.monotonic()
        long = await client.call_tool("slow_compute", {"seconds": 6, "label": "long"})
        said["long"], said["took"] = long.content[0].text, time.monotonic() - began
        asked = await client.call_tool("confirm_delete", {"filename": "a.txt"})
        said["question"] = asked.content[0].text
        task = await call_tool_task(client, "slow_compute", {"seconds": 60, "label": "never"})
        said["before"] = (await task.status()).status
        await task.cancel()
        said["cancelled"] = (await task.wait(timeout=30)).status
    print(json.dumps(said))  # noqa: T201 - the test reads it


asyncio.run(main(sys.argv[1]))
