"""The key id that an emulator knows its own callers by."""

import base64
import secrets

from sqswarm.infra.local.emulator import Emulator
from sqswarm.schemas.settings import DEFAULT_REGION

DEFAULT_ACCOUNT = "000000000000"
_PREFIX = "LKIA"
_ACCOUNT_OFFSET = 0x80_0000_0000
_SECRET_BYTES = 20  # 160 random bits, 32 characters


def new_key_id() -> str:
    """Return a random access key id of the default account."""
    return _key_id(base64.b32encode(secrets.token_bytes(_SECRET_BYTES)).decode(), DEFAULT_ACCOUNT)


def environment_variables(
    emulator: Emulator, *, region: str = DEFAULT_REGION, account: str = DEFAULT_ACCOUNT
) -> dict[str, str]:
    """Return the variables with which any AWS SDK or tool reaches the emulator.

    Each `account` (twelve digits) has resources of its own.
    """
    secret = emulator.secret
    return {
        "AWS_ENDPOINT_URL": emulator.endpoint_url,
        "AWS_ACCESS_KEY_ID": _key_id(secret, account) if secret else account,
        "AWS_SECRET_ACCESS_KEY": secret or "test",
        "AWS_REGION": region,
        "AWS_DEFAULT_REGION": region,
    }


def _key_id(secret: str, account: str) -> str:
    """Encode the account as AWS does in its own key ids; LocalStack reads it out of ours."""
    half, odd = divmod(int(account), 2)
    encoded = base64.b32encode((half + _ACCOUNT_OFFSET).to_bytes(5, "big")).decode()
    return _PREFIX + encoded + ("Q" if odd else "A") + secret
