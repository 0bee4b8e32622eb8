"""An MCP server of rooms: over stdio as a program, over HTTP in a thread."""

import os
import sys
import time
from pathlib import Path

from mcp.server.mcpserver import MCPServer
from mcp.server.mcpserver.exceptions import ToolError


def inventory():
    server = MCPServer("inventory")

    @server.tool()
    def rooms(city: str) -> str:
        """Count free rooms."""
        return f"3 rooms in {city}"

    @server.tool()
    def delete_all() -> str:
        """Delete everything."""
        return "gone"

    @server.tool(name="odd.name")
    def odd() -> str:
        """Have a name the API does not take."""
        return "odd"

    @server.tool()
    def leak() -> str:
        """Tell a secret."""
        return f"the token is {os.environ.get('INVENTORY_TOKEN')}"

    @server.tool()
    def die() -> str:
        """Die."""
        os._exit(1)

    @server.tool()
    def hang() -> str:
        """Hang."""
        time.sleep(6)
        return "late"

    @server.tool()
    def fail() -> str:
        """Fail."""
        raise ToolError("no such room")

    return server


if __name__ == "__main__":
    if len(sys.argv) > 1:  # note each start
        with Path(sys.argv[1]).open("a") as starts:
            starts.write("started\n")
    inventory().run("stdio")
