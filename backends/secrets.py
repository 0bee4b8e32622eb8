"""Secrets: found by reference, kept out of everything that is written down.

A reference says where a secret lies: `env:NAME`, `ssm:/path` (Parameter Store) or
`secretsmanager:name`, with `#field` for one field of a JSON secret. Whatever was resolved here is
replaced in logs, recorded steps and tool outputs of this process; so is what looks like a key.
"""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Mapping
from functools import cache
from typing import Any

from sqswarm.schemas.errors import SecretNotFound
from sqswarm.schemas.json import JsonObject, dumps, loads

HIDDEN = "[secret]"
_SHORTEST = 6
"""A shorter value is no secret, and replacing it would garble every text."""

_LOOKS_LIKE_A_KEY = re.compile(
    r"sk-ant-[A-Za-z0-9_-]{16,}"
    r"|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"
    r"|\bgh[pousr]_[A-Za-z0-9]{30,}"
    r"|\bxox[abprs]-[A-Za-z0-9-]{10,}"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----.*?-----END [A-Z ]*PRIVATE KEY-----",
    re.DOTALL,
)
_MARKS = ("sk-ant-", "AKIA", "ASIA", "gho_", "ghp_", "ghr_", "ghs_", "ghu_", "xox", "-----BEGIN")
"""Every line of the log is looked through: these are found in a tenth of the time."""

_ENVIRONMENT = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "ANTHROPIC_API_KEY")

_known: dict[str, str] = {}


async def secret(reference: str, *, default: str | None = None) -> str:
    """Return the secret that `reference` names; each is looked up once a process.

    Raises SecretNotFound where it is nowhere and there is no `default`.
    """
    if (value := _known.get(reference)) is not None:
        return value
    kind, _, name = reference.partition(":")
    name, _, part = name.partition("#")
    if kind == "env":
        value = os.environ.get(name)
    elif kind in {"ssm", "secretsmanager"}:
        value = await asyncio.to_thread(_fetched, kind, name)
    else:
        message = f"{reference.partition(':')[0]!r} begins no reference to a secret"
        raise SecretNotFound(message)
    if value is not None and part:
        value = loads(value).get(part)
    if not value:
        if default is not None:
            return default
        message = f"there is no secret at {reference}"
        raise SecretNotFound(message)
    _known[reference] = value
    return value


def _fetched(kind: str, name: str) -> str | None:
    from botocore.exceptions import ClientError

    from sqswarm.backends.aws.connect import client, settings_from_environment

    settings = settings_from_environment()
    try:
        if kind == "ssm":
            found = client(settings, "ssm").get_parameter(Name=name, WithDecryption=True)
            return str(found["Parameter"]["Value"])
        return str(
            client(settings, "secretsmanager").get_secret_value(SecretId=name)["SecretString"]
        )
    except ClientError as error:
        if "NotFound" in error.response["Error"]["Code"]:
            return None
        raise


def is_reference(text: str) -> bool:
    """Tell whether a text names a secret rather than being one."""
    return text.startswith(("env:", "ssm:", "secretsmanager:"))


def statements(references: Mapping[str, object] | tuple[str, ...]) -> list[JsonObject]:
    """Return the IAM statements that reading these secrets needs."""
    found: list[JsonObject] = []
    for reference in references:
        kind, _, rest = reference.partition(":")
        name = rest.partition("#")[0]
        if kind == "ssm":
            arn = f"arn:aws:ssm:*:*:parameter/{name.removeprefix('/')}"
            found.append({"Action": ["ssm:GetParameter"], "Resource": [arn]})
        elif kind == "secretsmanager":
            # AWS ends the name in six characters of its own.
            arn = f"arn:aws:secretsmanager:*:*:secret:{name}-??????"
            found.append({"Action": ["secretsmanager:GetSecretValue"], "Resource": [arn]})
    return found


def hide(text: str) -> str:
    """Return `text` without any secret this process knows, or that looks like one."""
    values = [*_known.values(), *(os.environ.get(name, "") for name in _ENVIRONMENT)]
    for value in sorted(values, key=len, reverse=True):
        if len(value) >= _SHORTEST:
            for written in _writings(value):
                text = text.replace(written, HIDDEN)
    if any(mark in text for mark in _MARKS):
        text = _LOOKS_LIKE_A_KEY.sub(HIDDEN, text)
    return text


@cache
def _writings(value: str) -> tuple[str, ...]:
    """Return a value as it is and, where that differs, as JSON writes it."""
    return tuple({value, dumps(value)[1:-1]})


def hide_all(value: Any) -> Any:
    """Return a JSON value with every text in it hidden as `hide` does."""
    if isinstance(value, str):
        return hide(value)
    if isinstance(value, list):
        return [hide_all(item) for item in value]
    if isinstance(value, dict):
        return {name: hide_all(item) for name, item in value.items()}
    return value
