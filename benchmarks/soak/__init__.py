"""Soak: thousands of tasks through the whole swarm under a storm of faults, then an audit."""
