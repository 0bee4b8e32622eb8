"""The MCP server: agents as tools, calls as tasks of the Tasks extension."""
