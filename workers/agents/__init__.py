"""Agents that come with sqswarm: deployed where [tool.sqswarm] agents lists their modules."""
