"""The blob store's port."""

from __future__ import annotations

from typing import Protocol


class Blobs(Protocol):
    """Objects under keys, in the stage's one bucket."""

    async def put(self, key: str, data: bytes, *, once: bool = False) -> str:
        """Store `data` and return its address, `s3://bucket/key`.

        A repeat overwrites, but where it is put `once`: then what lies there already stays.
        """
        ...

    async def get(self, address: str) -> bytes | None:
        """Return what lies at an address that `put` gave.

        None where nothing does, or nothing that these credentials may read: on S3 both look alike.

        Raises ValueError for an address outside the bucket: a message must not make a worker
        read somebody else's.
        """
        ...

    def address(self, key: str) -> str:
        """Return the address of `key`."""
        ...
