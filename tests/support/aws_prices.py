"""Public prices that counted calls are multiplied by."""

PRICES = {"sns": 0.50e-6, "sqs": 0.40e-6, "write units": 0.625e-6}
"""Dollars a request or unit: us-east-1, on demand, November 2026. A publish counts per 64 KB; ten
short tasks are less. SNS to SQS is free."""
