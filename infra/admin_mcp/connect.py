"""Connect: the one client that differs from the others, for calls that must not be repeated."""

from __future__ import annotations

from typing import Any

from sqswarm.backends.aws.connect import client_options
from sqswarm.schemas.settings import Settings


def client_without_retries(settings: Settings, *, timeout_s: int) -> Any:
    """Return a Lambda client that waits up to `timeout_s` for an answer and asks only once.

    The SDK repeats a request that got no answer, and a function would run again.
    """
    import boto3
    from botocore.config import Config

    options = client_options(settings, "lambda")
    patient = Config(retries={"total_max_attempts": 1}, read_timeout=timeout_s)
    options["config"] = options["config"].merge(patient)
    return boto3.client("lambda", **options)
