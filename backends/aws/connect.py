"""Clients: the one place that knows how to reach AWS or an emulator."""

from __future__ import annotations

import os
import threading
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from sqswarm.backends.aws.blobs import S3Blobs
from sqswarm.backends.aws.bus import AwsBus
from sqswarm.backends.aws.caller import AwsCaller, ClientFactory, translated
from sqswarm.backends.aws.store import DynamoStore
from sqswarm.backends.ports.blobs import Blobs
from sqswarm.backends.ports.bus import Bus
from sqswarm.backends.ports.store import Store
from sqswarm.backends.runner import Runner
from sqswarm.schemas.json import loads
from sqswarm.schemas.naming import Names
from sqswarm.schemas.settings import KEY_ID_ACCOUNT_LENGTH, Settings
from sqswarm.schemas.value import dataclass

_ANY_KEY = "test"
"""What emulators that `sqswarm up` did not start take, as any other."""

_PARTITIONS = {"cn": "aws-cn", "us-gov": "aws-us-gov"}


@dataclass(frozen=True, kw_only=True)
class Backends:
    """The three ports of one stage, and its names."""

    names: Names
    store: Store
    bus: Bus
    blobs: Blobs


def settings_from_environment(env: Mapping[str, str] | None = None) -> Settings:
    """Return the settings of the environment (default: this process's).

    Where AWS_ENDPOINT_URL is not set and no AWS credentials or profile are chosen either, the
    local emulator that `sqswarm up` started last is the endpoint, if it still runs: a laptop
    never reaches for AWS by accident.
    """
    env = os.environ if env is None else env
    settings = Settings.from_env(env)
    if is_chosen(settings, env):
        return settings
    return replace(settings, endpoint_url=running_emulator(env))


def is_chosen(settings: Settings, env: Mapping[str, str]) -> bool:
    """Whether the environment says which AWS is meant: an endpoint, a profile or credentials."""
    names = ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "AWS_LAMBDA_FUNCTION_NAME")
    return bool(settings.endpoint_url) or any(env.get(name) for name in names)


def running_emulator(env: Mapping[str, str]) -> str | None:
    """Return the address of the emulator started last on this machine, if its process lives."""
    try:
        current = loads((local_home(env) / "current.json").read_text())
        os.kill(int(current["pid"]), 0)
        return str(current["endpoint_url"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def local_home(env: Mapping[str, str]) -> Path:
    """Return the directory of all local state: $SQSWARM_HOME, by default ~/.sqswarm."""
    return Path(env.get("SQSWARM_HOME") or Path.home() / ".sqswarm").expanduser().absolute()


def _local_credentials(endpoint_url: str | None, env: Mapping[str, str]) -> dict[str, str]:
    """Return a client's credentials for an emulator.

    An emulator that `sqswarm up` started answers to its own key id only. The environment may have
    been given that (`sqswarm env`), or, in a function, one that the emulator's STS issued. What it
    says now is named: boto3's default session keeps what it said at first.
    """
    chosen = env.get("AWS_ACCESS_KEY_ID", "")
    try:
        record = local_home(env) / "run" / str(urlsplit(endpoint_url or "").port) / "emulator.json"
        key_id = str(loads(record.read_text())["access_key_id"] or "")
    except (OSError, ValueError, KeyError, TypeError):
        key_id = ""
    if key_id and not chosen.endswith(key_id[KEY_ID_ACCOUNT_LENGTH:]):
        return {
            "aws_access_key_id": key_id,
            "aws_secret_access_key": key_id[KEY_ID_ACCOUNT_LENGTH:],
        }
    found = {
        "aws_access_key_id": chosen or _ANY_KEY,
        "aws_secret_access_key": env.get("AWS_SECRET_ACCESS_KEY") or _ANY_KEY,
    }
    if chosen and (token := env.get("AWS_SESSION_TOKEN")):
        found["aws_session_token"] = token
    return found


def client_options(settings: Settings, service: str) -> dict[str, Any]:
    """Return the keyword arguments of a boto3 or aioboto3 client.

    Retries are the SDK's `standard` mode: exponential backoff with jitter (AWS SDKs and Tools
    Reference Guide, "Retry behavior"); throttled batches wait there, not in our code.
    """
    from botocore.config import Config

    config = Config(
        # Nothing is throttled on a laptop, and an emulator that is down should be told at once.
        retries={"mode": "standard", "max_attempts": 3 if settings.local else 6},
        max_pool_connections=32,
        connect_timeout=3,
        read_timeout=70,
    )
    if service == "s3" and settings.local:  # bucket.localhost resolves on few machines
        config = config.merge(Config(s3={"addressing_style": "path"}))
    options: dict[str, Any] = {"region_name": settings.region, "config": config}
    if settings.endpoint_url:
        options["endpoint_url"] = settings.endpoint_url
    if settings.local:
        options |= _local_credentials(settings.endpoint_url, os.environ)
    return options


def client(settings: Settings, service: str) -> Any:
    """Return a boto3 client of `service`; raises Unreachable where there is no profile for it."""
    import boto3
    from botocore.exceptions import BotoCoreError

    try:
        return boto3.client(service, **client_options(settings, service))  # type: ignore[call-overload]
    except BotoCoreError as error:
        raise translated(error, service) from error


def client_factory(settings: Settings) -> ClientFactory:
    """Return a function that makes each service's client once."""
    made: dict[str, Any] = {}
    lock = threading.Lock()

    def get(service: str) -> Any:
        found = made.get(service)
        if found is None:
            with lock:
                found = made.get(service)
                if found is None:
                    found = made[service] = client(settings, service)
        return found

    return get


async def identify(settings: Settings, caller: AwsCaller) -> Settings:
    """Return the settings with account and principal filled in, asking STS if they are missing.

    The principal is the caller's ARN, as `principal_of_arn` shortens it.
    """
    if settings.account and settings.principal:
        return settings
    if settings.account:
        return replace(settings, principal="unnamed")
    who = await caller.call("sts", "get_caller_identity")
    principal = settings.principal or principal_of_arn(str(who["Arn"]))
    return replace(settings, account=str(who["Account"]), principal=principal)


def principal_of_arn(arn: str) -> str:
    """Return whom an ARN stands for: of an assumed role it is the role, not the session.

    So a task is visible to the role's next session too.
    """
    return arn.rsplit("/", 1)[0] if ":assumed-role/" in arn else arn


def backends(settings: Settings, caller: AwsCaller, runner: Runner) -> Backends:
    """Return the three ports for settings whose account is known."""
    names = names_of(settings)
    return Backends(
        names=names,
        store=DynamoStore(caller, runner, names.table),
        bus=AwsBus(caller, runner, names, settings.endpoint_url),
        blobs=S3Blobs(caller, names.bucket),
    )


def names_of(settings: Settings) -> Names:
    """Return the stage's names; raises ValueError where the account is not known yet."""
    if settings.account is None:
        message = "the account is not known: call identify() first"
        raise ValueError(message)
    partition = _PARTITIONS.get(settings.region.rsplit("-", 2)[0], "aws")
    return Names(
        stage=settings.stage,
        account=settings.account,
        region=settings.region,
        partition=partition,
    )
