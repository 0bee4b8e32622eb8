"""Five patterns of agents, each a few lines over the bus."""

MODEL = "claude-haiku-5-5"
KEY = "ssm:/sqswarm/anthropic-key"
"""Where the key lies; the fake Claude needs none."""
