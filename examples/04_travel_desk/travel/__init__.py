"""A travel desk: several agents, one conversation."""
