"""Orchestrator and workers: the model itself decides what to hand out, and to how many."""

from patterns import KEY, MODEL
from sqswarm import Budget, ClaudeAgent

researcher = ClaudeAgent(
    "researcher", model=MODEL, api_key=KEY, description="Answer one question about a city.",
    system="Answer one question in a sentence.",
)  # fmt: skip
editor = ClaudeAgent(
    "editor", model=MODEL, api_key=KEY, tools=[researcher], budget=Budget(usd=0.50, turns=6),
    system="Split a question into small ones, ask a researcher each at once, then sum up.",
)  # fmt: skip
