"""Secret: a value that is named in code and kept elsewhere: never an argument, never recorded."""

from __future__ import annotations

import os
from functools import cache

from workers.outcome import Fail


@cache
def secret(reference: str) -> str:
    """Return the secret that `env:NAME` or `ssm:/path` refers to; kept while this process lives.

    Raises Fail where there is none. For SSM the agent needs the permission `ssm:GetParameter`.
    """
    kind, _, name = reference.partition(":")
    value: str | None = None
    match kind:
        case "env":
            value = os.environ.get(name)
        case "ssm" if name:
            value = _parameter(name)
        case _:
            message = "a secret is named env:NAME or ssm:/path"
            raise Fail(message, type="InvalidSecret")
    if not value:
        message = f"there is no secret at {reference}"
        raise Fail(message, type="InvalidSecret")
    return value


def _parameter(name: str) -> str | None:
    from botocore.exceptions import ClientError

    from backends.caller import error_code
    from backends.connect import client
    from schemas.settings import Settings

    ssm = client(Settings.from_env(os.environ), "ssm")
    try:
        return str(ssm.get_parameter(Name=name, WithDecryption=True)["Parameter"]["Value"])
    except ClientError as error:
        if error_code(error) == "ParameterNotFound":
            return None
        raise
