"""The outer ring: provisions and wires a swarm, and owns the CLI and the local launcher."""
