"""The record of one emulator."""

import json
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

from sqswarm.schemas.settings import KEY_ID_ACCOUNT_LENGTH

EmulatorKind = Literal["localstack", "ministack", "docker"]
KINDS: tuple[EmulatorKind, ...] = get_args(EmulatorKind)


@dataclass(frozen=True, kw_only=True)
class Emulator:
    """An emulator that was started on this machine.

    `pid` is 0 for docker, whose processes are not ours. `started_at` is when the process was
    created, in seconds since the epoch: together with the pid it names one process for ever.
    `access_key_id` is what it knows its callers by; None for docker, which takes any.
    """

    kind: EmulatorKind
    port: int
    endpoint_url: str
    pid: int
    log_path: Path
    started_at: float
    access_key_id: str | None = field(repr=False)

    @property
    def secret(self) -> str | None:
        """The random part of the key id, which every key id that it takes ends with."""
        return self.access_key_id[KEY_ID_ACCOUNT_LENGTH:] if self.access_key_id else None

    def dump(self) -> str:
        """Write the record as it stands in emulator.json and current.json."""
        record = {
            "kind": self.kind,
            "port": self.port,
            "endpoint_url": self.endpoint_url,
            "pid": self.pid,
            "create_time": self.started_at,
            "log_path": str(self.log_path),
            "access_key_id": self.access_key_id,
        }
        return json.dumps(record, indent=2) + "\n"

    @classmethod
    def load(cls, text: str) -> "Emulator":
        """Read a record. Raises ValueError when it is not one, as after a crash half-way."""
        try:
            record = json.loads(text)
            kind = record["kind"]
            if kind not in KINDS:
                message = f"unknown kind of emulator: {kind!r}"
                raise ValueError(message)
            return cls(
                kind=kind,
                port=int(record["port"]),
                endpoint_url=str(record["endpoint_url"]),
                pid=int(record["pid"]),
                log_path=Path(record["log_path"]),
                started_at=float(record["create_time"]),
                access_key_id=record["access_key_id"],
            )
        except (KeyError, TypeError) as error:
            message = f"not the record of an emulator: {error}"
            raise ValueError(message) from error
