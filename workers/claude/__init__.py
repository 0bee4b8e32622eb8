"""Claude agents: agents whose work a model decides, one durable turn after another.

Nothing here imports `anthropic` or `mcp` before such an agent runs.
"""

from sqswarm.schemas.budget import Budget
from sqswarm.workers.claude.agent import ClaudeAgent
from sqswarm.workers.claude.config import McpServer
from sqswarm.workers.claude.tools import Tool, ask_person, tool

__all__ = ["Budget", "ClaudeAgent", "McpServer", "Tool", "ask_person", "tool"]
