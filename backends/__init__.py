"""Where tasks are kept and carried: bus (SNS, SQS), store (DynamoDB), blobs (S3).

Each is a port, an AWS adapter and a memory twin that passes the same contract suite.
"""
