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

    async def read_part(self, address: str, *, start: int, limit: int) -> bytes | None:
        """Return up to `limit` bytes from `start` of an object anywhere, empty past its end.

        None as with `get`. For addresses that the caller's own person names, never a message.
        """
        ...

    async def read(self, key: str) -> tuple[bytes | None, str]:
        """Return what lies under a key, None as with `get`, and the tag that `swap` asks for."""
        ...

    async def swap(self, key: str, data: bytes, *, tag: str) -> bool:
        """Store `data` where nobody has stored anything since `read` gave `tag`; tell whether."""
        ...

    def address(self, key: str) -> str:
        """Return the address of `key`."""
        ...
