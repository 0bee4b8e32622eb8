"""Secrets: found by reference.

A reference says where a secret lies: `env:NAME`, `ssm:/path` (Parameter Store) or
`secretsmanager:name`, with `#field` for one field of a JSON secret.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping

from sqswarm.backends.redact import remember_secret
from sqswarm.schemas.errors import SecretNotFound
from sqswarm.schemas.json import JsonObject, loads

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
    remember_secret(value)
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
