"""The ports on AWS: DynamoDB, SNS, SQS, S3."""
