"""Drift: what is really there, held against the topology, and how each difference is mended.

CloudFormation's word is not enough on an emulator: LocalStack leaves event sources disabled after
an update and keeps a role's old policy; both emulators ignore the bucket's expiry and
point-in-time recovery. On AWS it finds what was changed by hand.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from sqswarm.backends.aws.caller import error_code, translated
from sqswarm.schemas.errors import DeployFailed, NotDeployed, SwarmError

Mend = Callable[[], object]

_THREADS = 8
_ABSENT = frozenset(
    {
        "AWS.SimpleQueueService.NonExistentQueue",
        "QueueDoesNotExist",
        "ResourceNotFoundException",
        "NotFound",
        "NotFoundException",
        "NoSuchEntity",
        "NoSuchBucket",
        "404",
    }
)


@dataclass(frozen=True, kw_only=True)
class Drift:
    """One difference. `mend` is None where only a deployment can mend it.

    `vital` is False for what an emulator may lack and tasks do not need (expiry, backups).
    """

    resource: str
    what: str
    mend: Mend | None = None
    vital: bool = True

    def __str__(self) -> str:
        """Say what differs."""
        return f"{self.resource}: {self.what}"


Check = Callable[[], Iterator[Drift]]


def run_checks(checks: list[tuple[str, Check]]) -> list[Drift]:
    """Return what the checks find, side by side in threads; each is named by its resource."""
    with ThreadPoolExecutor(_THREADS) as pool:
        found = pool.map(_run, checks)
    return [drift for drifts in found for drift in drifts]


def _run(named: tuple[str, Check]) -> list[Drift]:
    resource, check = named
    try:
        return list(check())
    except ClientError as error:
        if error_code(error) in _ABSENT:
            return [Drift(resource=resource, what="does not exist")]
        raise translated(error, resource) from error
    except NotDeployed:
        return [Drift(resource=resource, what="does not exist")]
    except BotoCoreError as error:
        raise translated(error, resource) from error


def mend(drifts: list[Drift]) -> list[str]:
    """Mend what can be mended; return a note for each thing that is left and not vital.

    Raises DeployFailed naming each vital thing that is missing or could not be mended.
    """
    broken: list[str] = []
    notes: list[str] = []
    for drift in drifts:
        problem = _mended(drift)
        if problem is not None:
            (broken if drift.vital else notes).append(problem)
    if broken:
        message = "\n".join(["the deployment is not whole:", *(f"  {line}" for line in broken)])
        hint = "`sqswarm destroy`, then `sqswarm deploy`, builds it anew; data in it is lost."
        raise DeployFailed(message, hint=hint)
    return notes


def _mended(drift: Drift) -> str | None:
    if drift.mend is None:
        return str(drift)
    try:
        drift.mend()
    except (ClientError, BotoCoreError, SwarmError) as error:
        return f"{drift}; setting it by its API failed: {error}"
    return None


def differing(expected: dict[str, Any], actual: dict[str, Any]) -> str:
    """Return what differs, as `name is actual, not expected`."""
    return ", ".join(
        f"{name} is {actual.get(name)!r}, not {value!r}"
        for name, value in expected.items()
        if actual.get(name) != value
    )
