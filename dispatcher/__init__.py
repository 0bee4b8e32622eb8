"""The way in: submit tasks, publish events, and follow what becomes of them."""

if __name__ != "sqswarm.dispatcher":  # a second copy of every class would be the result
    raise ImportError("import sqswarm.dispatcher: this folder cannot be imported as dispatcher")
