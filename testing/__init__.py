"""What users test their agents with: no AWS account, no key, no waiting."""

if __name__ != "sqswarm.testing":  # a second copy of every class would be the result
    raise ImportError("import sqswarm.testing: this folder cannot be imported as testing")
