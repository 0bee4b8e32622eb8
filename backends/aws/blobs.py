"""The blob store on S3."""

from __future__ import annotations

from botocore.exceptions import ClientError

from sqswarm.backends.aws.caller import AwsCaller, error_code
from sqswarm.schemas.errors import NotDeployed, Unreachable

_NOTHING = frozenset({"NoSuchKey", "404", "AccessDenied", "403"})
_CHANGED = frozenset({"PreconditionFailed", "ConditionalRequestConflict", "412", "409"})


class S3Blobs:
    """One bucket; see the port for what each method promises."""

    def __init__(self, caller: AwsCaller, bucket: str) -> None:
        """Keep objects in `bucket`."""
        self._caller = caller
        self._bucket = bucket
        self._prefix = f"s3://{bucket}/"

    def address(self, key: str) -> str:
        """Return the address of `key`."""
        return self._prefix + key

    async def put(self, key: str, data: bytes, *, once: bool = False) -> str:
        """Store `data` with PutObject (encrypted by the bucket's default)."""
        condition = {"IfNoneMatch": "*"} if once else {}
        try:
            await self._caller.call(
                "s3", "put_object", Bucket=self._bucket, Key=key, Body=data, **condition
            )
        except ClientError as error:
            if error_code(error) != "PreconditionFailed":
                raise
        return self.address(key)

    async def get(self, address: str) -> bytes | None:
        """Return what lies there, with GetObject.

        A role that may not list the bucket, as no agent's may, is answered AccessDenied for what
        is not there.
        """
        if not address.startswith(self._prefix):
            message = f"{address} is not in this stage's bucket"
            raise ValueError(message)
        return (await self.read(address.removeprefix(self._prefix)))[0]

    async def read_part(self, address: str, *, start: int, limit: int) -> bytes | None:
        """Return a part of what lies there, in whatever bucket, with GetObject's Range."""
        bucket, _, key = address.removeprefix("s3://").partition("/")
        part = f"bytes={start}-{start + limit - 1}"
        try:
            response = await self._caller.call(
                "s3", "get_object", Bucket=bucket, Key=key, Range=part
            )
        except NotDeployed:  # no such bucket
            return None
        except (ClientError, Unreachable) as error:
            refusal = error.__cause__ if isinstance(error, Unreachable) else error
            code = error_code(refusal) if isinstance(refusal, ClientError) else ""
            if code == "InvalidRange":
                return b""
            if code in _NOTHING:
                return None
            raise
        data: bytes = response["Body"]
        return data

    async def read(self, key: str) -> tuple[bytes | None, str]:
        """Return what lies under a key, with GetObject; its tag is its ETag."""
        try:
            response = await self._caller.call("s3", "get_object", Bucket=self._bucket, Key=key)
        except (ClientError, Unreachable) as error:
            refusal = error.__cause__ if isinstance(error, Unreachable) else error
            if isinstance(refusal, ClientError) and error_code(refusal) in _NOTHING:
                return None, ""
            raise
        return response["Body"], response["ETag"]

    async def swap(self, key: str, data: bytes, *, tag: str) -> bool:
        """Store with a conditional PutObject (S3 User Guide, "Enforce conditional writes")."""
        condition = {"IfMatch": tag} if tag else {"IfNoneMatch": "*"}
        try:
            await self._caller.call(
                "s3", "put_object", Bucket=self._bucket, Key=key, Body=data, **condition
            )
        except ClientError as error:
            if error_code(error) not in _CHANGED:
                raise
            return False
        return True
