"""The agents: one file each. A new one is listed in pyproject.toml, under [tool.sqswarm]."""
