"""LocalAws: an emulator that belongs to a test run, and what a test needs to talk to it."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from sqswarm.infra.local.emulator import EmulatorKind
from sqswarm.infra.local.isolated import EmulatorApart, emulator_apart, foreign_variables


class LocalAws:
    """A local AWS: `client("sqs")` and `resource("s3")` are boto3's, and reach nothing else.

    In a test that has it, `boto3.client("sqs")` and every other SDK reach it too: the process's
    environment names it, and no profile, role or endpoint of the shell's.
    """

    def __init__(self, apart: EmulatorApart) -> None:
        """Local AWSs are made by the fixture `local_aws`, or by `running_local_aws`."""
        self._apart = apart
        self.kind: EmulatorKind = apart.emulator.kind
        self.endpoint_url = apart.emulator.endpoint_url
        self.variables = apart.variables
        """The environment variables with which any process reaches it."""
        self.region = self.variables["AWS_REGION"]
        self.used = False
        """Whether anything may have been made in it since the last reset."""

    def __repr__(self) -> str:
        """Show what runs where."""
        return f"<LocalAws {self.kind} at {self.endpoint_url}>"

    @property
    def session(self) -> Any:
        """Return a new boto3 session with its credentials and region."""
        import boto3

        return boto3.Session(
            aws_access_key_id=self.variables["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=self.variables["AWS_SECRET_ACCESS_KEY"],
            region_name=self.region,
        )

    def client(self, service: str, **options: Any) -> Any:
        """Return a boto3 client of a service; `options` are boto3's."""
        return self.session.client(service, endpoint_url=self.endpoint_url, **options)

    def resource(self, service: str, **options: Any) -> Any:
        """Return a boto3 resource of a service; `options` are boto3's."""
        return self.session.resource(service, endpoint_url=self.endpoint_url, **options)

    def reset(self) -> None:
        """Forget every resource of every service."""
        self._apart.reset()
        self.used = False


@contextmanager
def running_local_aws(kind: EmulatorKind = "localstack") -> Iterator[LocalAws]:
    """Run an emulator of its own until the block ends; raises EmulatorError as `up` does."""
    with emulator_apart(kind) as apart:
        yield LocalAws(apart)


@contextmanager
def led_to(patch: Any, variables: dict[str, str]) -> Iterator[None]:
    """Let this process's environment name one AWS and no other, by pytest's `monkeypatch`.

    boto3's default session is forgotten, now and afterwards: it keeps the credentials that it
    found first.
    """
    for name in foreign_variables(os.environ):
        patch.delenv(name)
    for name, value in variables.items():
        patch.setenv(name, value)
    _forget_session()
    yield
    _forget_session()


def _forget_session() -> None:
    if boto3 := sys.modules.get("boto3"):
        boto3.DEFAULT_SESSION = None  # type: ignore[attr-defined] # of a module


NO_AWS = {
    "AWS_ENDPOINT_URL": "http://127.0.0.1:9",  # the discard port: nothing listens there
    "AWS_ACCESS_KEY_ID": "none",
    "AWS_SECRET_ACCESS_KEY": "none",
    "AWS_REGION": "us-east-1",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_CONFIG_FILE": os.devnull,
    "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
    "AWS_EC2_METADATA_DISABLED": "true",
}
"""An environment in which no AWS is reached: agents in memory have none."""
