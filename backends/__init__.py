"""Where tasks are kept and carried: bus (SNS, SQS), store (DynamoDB), blobs (S3).

Each is a port with an AWS adapter and a memory twin that pass the same contract suite.
"""

if __name__ != "sqswarm.backends":  # a second copy of every class would be the result
    raise ImportError("import sqswarm.backends: this folder cannot be imported as backends")
