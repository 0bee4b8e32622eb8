"""Claude agents: agents whose work a model decides, one durable turn after another.

Nothing here imports `anthropic` or `mcp` before such an agent runs.
"""

from schemas.ledger import Budget
from workers.claude.agent import ClaudeAgent
from workers.claude.servers import McpServer
from workers.claude.tool import Tool, ask_person, tool

__all__ = ["Budget", "ClaudeAgent", "McpServer", "Tool", "ask_person", "tool"]
