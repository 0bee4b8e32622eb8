"""What travels and what is stored: pure values and pure functions, no I/O."""

if __name__ != "sqswarm.schemas":  # a second copy of every class would be the result
    raise ImportError("import sqswarm.schemas: this folder cannot be imported as schemas")
