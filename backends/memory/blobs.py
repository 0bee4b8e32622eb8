"""The blob store's memory twin."""

from __future__ import annotations

from hashlib import sha256


class MemoryBlobs:
    """A bucket in a dict."""

    def __init__(self, bucket: str = "memory") -> None:
        """Start empty."""
        self.objects: dict[str, bytes] = {}
        self._prefix = f"s3://{bucket}/"

    def address(self, key: str) -> str:
        """Return the address of `key`."""
        return self._prefix + key

    async def put(self, key: str, data: bytes, *, once: bool = False) -> str:
        """Store `data`."""
        if not once or self.address(key) not in self.objects:
            self.objects[self.address(key)] = data
        return self.address(key)

    async def get(self, address: str) -> bytes | None:
        """Return what lies there."""
        if not address.startswith(self._prefix):
            message = f"{address} is not in this stage's bucket"
            raise ValueError(message)
        return self.objects.get(address)

    async def read_part(self, address: str, *, start: int, limit: int) -> bytes | None:
        """Return a part of what lies there."""
        data = self.objects.get(address)
        return None if data is None else data[start : start + limit]

    async def read(self, key: str) -> tuple[bytes | None, str]:
        """Return what lies under a key, and its tag."""
        data = self.objects.get(self.address(key))
        return data, _tag(data)

    async def swap(self, key: str, data: bytes, *, tag: str) -> bool:
        """Store `data` where the tag still fits."""
        if _tag(self.objects.get(self.address(key))) != tag:
            return False
        self.objects[self.address(key)] = data
        return True


def _tag(data: bytes | None) -> str:
    return "" if data is None else sha256(data).hexdigest()
