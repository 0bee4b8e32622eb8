"""The account: names need it, and only STS knows it."""

from __future__ import annotations

from dataclasses import replace

from botocore.exceptions import BotoCoreError, ClientError

from sqswarm.backends.aws.caller import ClientFactory, translated
from sqswarm.schemas.settings import Settings


def with_account(settings: Settings, clients: ClientFactory) -> Settings:
    """Return the settings with the account filled in, asking STS where it is missing.

    Raises Unreachable where nothing answers or there are no credentials.
    """
    if settings.account is not None:
        return settings
    try:
        who = clients("sts").get_caller_identity()
    except (ClientError, BotoCoreError) as error:
        raise translated(error, "sts") from error
    return replace(settings, account=str(who["Account"]))
