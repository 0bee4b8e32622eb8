"""Kept versions: the published versions of an agent's function, seen from one of them.

A message is handed over by an asynchronous invocation of the other version with its record of the
batch. This function reports it as not done, so that it stays in flight; the other deletes it.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from botocore.exceptions import ClientError

from sqswarm.backends.aws.caller import AwsCaller, error_code
from sqswarm.backends.log import Log
from sqswarm.backends.ports.bus import Delivery
from sqswarm.schemas.errors import NotDeployed, SwarmError
from sqswarm.schemas.json import JsonObject, dumps
from sqswarm.schemas.settings import KEEP_VERSIONS
from sqswarm.workers.runtime.versions import HandOver

HANDED_OVER = "handedOver"
"""Names, in an event beside its records, the version that hands them over."""

_TOO_LARGE = frozenset({"RequestTooLargeException", "413"})
"""An event of an asynchronous invocation is at most 256 KB (Lambda quotas; 1 MB since 2025)."""


class KeptVersions:
    """The versions of one function; `begin` each invocation with its event."""

    def __init__(self, caller: AwsCaller, *, function: str, own: str, log: Log) -> None:
        """Speak for the version `own` of `function`."""
        self._caller = caller
        self._function = function
        self._log = log
        self._records: Mapping[str, JsonObject] = {}
        self.own = own
        self.handed_over = False

    @classmethod
    def from_env(cls, env: Mapping[str, str], caller: AwsCaller, log: Log) -> KeptVersions | None:
        """Return them, None where none are kept or this is `$LATEST`, which nothing can name."""
        own = env.get("AWS_LAMBDA_FUNCTION_VERSION", "")
        if not env.get(KEEP_VERSIONS) or not own.isdecimal():
            return None
        return cls(caller, function=env["AWS_LAMBDA_FUNCTION_NAME"], own=own, log=log)

    def begin(self, event: JsonObject) -> None:
        """Take note of what has come, and from whom."""
        self.handed_over = HANDED_OVER in event
        self._records = {record["messageId"]: record for record in event.get("Records", ())}

    async def hand_over(self, delivery: Delivery, version: str) -> HandOver:
        """Invoke `version` with a message of this batch, and do not wait for it."""
        event: dict[str, Any] = {
            HANDED_OVER: self.own,
            "Records": [self._records[delivery.message_id]],
        }
        try:
            await self._caller.call(
                "lambda",
                "invoke",
                FunctionName=self._function,
                Qualifier=version,
                InvocationType="Event",
                Payload=dumps(event).encode(),
            )
        except NotDeployed:
            return HandOver.GONE
        except (ClientError, SwarmError) as error:
            if isinstance(error, ClientError) and error_code(error) in _TOO_LARGE:
                return HandOver.GONE
            self._log.warning("hand-over.failed", code=version, error=repr(error))
            return HandOver.BUSY
        return HandOver.DONE
