"""The outer ring: provisions and wires a swarm, and owns the CLI and the local launcher."""

if __name__ != "sqswarm.infra":  # a second copy of every class would be the result
    raise ImportError("import sqswarm.infra: this folder cannot be imported as infra")
