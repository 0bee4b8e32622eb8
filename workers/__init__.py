"""The way through: agents, and the runtime that acquires, runs and settles their tasks."""

if __name__ != "sqswarm.workers":  # a second copy of every class would be the result
    raise ImportError("import sqswarm.workers: this folder cannot be imported as workers")
