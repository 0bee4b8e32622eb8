"""Settings: what the environment says, read once at an entry point and passed on as a value."""

from __future__ import annotations

from collections.abc import Mapping
from urllib.parse import urlsplit

from sqswarm.schemas.errors import InvalidSettings
from sqswarm.schemas.value import dataclass

KEEP_VERSIONS = "SQSWARM_KEEP_VERSIONS"
"""A function's variable, set where tasks go on with the version of its code they began with."""

TELLS = "SQSWARM_TELLS"
"""A function's variable, set where somebody is told of the end of each of its tasks."""

START_CHECK = {"sqswarm": "start"}
"""The event that asks a function whether it has started, and nothing else of it."""

DEFAULT_STAGE = "dev"
DEFAULT_REGION = "us-east-1"
LOOPBACK_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
"""How URLs name this machine."""


@dataclass(frozen=True, kw_only=True)
class Settings:
    """Where a swarm is and who asks.

    `endpoint_url` is None for AWS itself; `account` and `principal` are None where they have to
    be asked for (STS). `ttl_s` is how long an ended task's record is kept, in seconds.
    """

    stage: str = DEFAULT_STAGE
    region: str = DEFAULT_REGION
    endpoint_url: str | None = None
    account: str | None = None
    principal: str | None = None
    ttl_s: int = 14 * 24 * 3600

    def __post_init__(self) -> None:
        """Refuse an endpoint that is no address."""
        if self.endpoint_url is not None:
            parts = urlsplit(self.endpoint_url)
            if parts.scheme not in {"http", "https"} or not parts.netloc:
                message = f"the endpoint {self.endpoint_url!r} is not an http(s) address"
                raise InvalidSettings(message, hint="AWS_ENDPOINT_URL=http://127.0.0.1:4566")

    @property
    def local(self) -> bool:
        """True where the endpoint is this machine: an emulator, never AWS."""
        if self.endpoint_url is None:
            return False
        host = urlsplit(self.endpoint_url).hostname or ""
        return host in LOOPBACK_HOSTS or host.endswith(
            (".localhost", ".localhost.localstack.cloud")
        )

    @classmethod
    def from_env(cls, env: Mapping[str, str]) -> Settings:
        """Return the settings that `env` (usually `os.environ`) describes.

        Reads SQSWARM_STAGE, SQSWARM_ACCOUNT, SQSWARM_PRINCIPAL, AWS_ENDPOINT_URL, AWS_REGION and
        AWS_DEFAULT_REGION. Raises InvalidSettings for a value that cannot work.
        """
        return cls(
            stage=env.get("SQSWARM_STAGE") or DEFAULT_STAGE,
            region=env.get("AWS_REGION") or env.get("AWS_DEFAULT_REGION") or DEFAULT_REGION,
            endpoint_url=env.get("AWS_ENDPOINT_URL") or None,
            account=env.get("SQSWARM_ACCOUNT") or None,
            principal=env.get("SQSWARM_PRINCIPAL") or None,
        )


KEY_ID_ACCOUNT_LENGTH = 13
"""How much of an emulator's access key id says whose account it is; the rest is its secret."""
