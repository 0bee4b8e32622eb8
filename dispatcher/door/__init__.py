"""The doors for callers that do not hold the table's keys: MCP, and small HTTP beside it."""
