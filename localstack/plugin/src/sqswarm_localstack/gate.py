"""Whom an emulator answers: who knows its access key id, and no web page of another origin.

An emulator runs functions as whoever started it, and any web page can make a browser send requests
to this machine. Shared by LocalStack's chain of handlers, ministack's application and the Runtime
API of function processes; standard library only.
"""

import base64
import hmac
import os
import re
from collections.abc import Mapping
from urllib.parse import parse_qs

DEFAULT_ACCOUNT = "000000000000"
_PREFIX = "LKIA"
_HEAD = 13  # prefix, account and the account's parity: as in AWS's key ids
_ACCOUNT_OFFSET = 0x80_0000_0000
_HERE = frozenset({"localhost", "127.0.0.1", "::1", "localhost.localstack.cloud"})
# ministack gives Function URLs AWS's own names, which nobody else can lead here.
_BELOW_HERE = re.compile(
    r"\.(localhost|localhost\.localstack\.cloud|lambda-url\.[a-z0-9-]+\.on\.aws)\Z"
)
_CREDENTIAL = re.compile(r"^AWS4-[A-Z0-9-]+ .*?Credential=([^/,\s]+)/|^AWS ([^:]+):")
_FIX = (
    'run `eval "$(sqswarm env)"` in the shell that calls, or call through sqswarm, '
    "which finds it by itself."
)


def secret() -> str:
    """Return what every key id of this emulator ends with.

    Raises KeyError when nobody gave the emulator a key id: it must not run without.
    """
    return os.environ["SQSWARM_EMULATOR_KEY"][_HEAD:]


def key_id(account: str = DEFAULT_ACCOUNT) -> str:
    """Return the key id that stands for an account's owner, as LocalStack encodes accounts."""
    half, odd = divmod(int(account), 2)
    encoded = base64.b32encode((half + _ACCOUNT_OFFSET).to_bytes(5, "big")).decode()
    return _PREFIX + encoded + ("Q" if odd else "A") + secret()


def account_of(key: str) -> str | None:
    """Return the account of a key id that `key_id` made, else None."""
    if not key.startswith(_PREFIX) or len(key) < _HEAD:
        return None
    half = int.from_bytes(base64.b32decode(key[4:12]), "big") - _ACCOUNT_OFFSET
    return f"{2 * half + (key[12] >= 'Q'):012}"


def is_known(key: str) -> bool:
    """Whether a key id carries the emulator's secret: ours, or one that its IAM or STS issued."""
    ending = secret().encode()
    return hmac.compare_digest(key.encode()[-len(ending) :], ending)


def is_foreign(headers: Mapping[str, str]) -> str | None:
    """Return why a request is not of this machine's own making; None where it may be.

    `headers` has lower-case names. A page may have its own host name lead here (DNS rebinding),
    and a browser says of every request whether the page is of another origin.
    """
    host = headers.get("host", "").lower()
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    if name not in _HERE and not _BELOW_HERE.search(name):
        return f"the host {host!r} is not this machine"
    if (site := headers.get("sec-fetch-site", "none")) not in {"none", "same-origin"}:
        return f"the request comes from another web page ({site})"
    return None


def refusal(headers: Mapping[str, str], query: str, *, is_public: bool) -> str | None:
    """Return why a request is not answered, and what to do; None where it is answered.

    `is_public` says that the address needs no key: the health report, and the addresses of
    functions, whose callers the functions themselves know.
    """
    if why := is_foreign(headers):
        return f"This local AWS answers this machine only: {why}."
    if is_public or any(is_known(key) for key in _keys(headers.get("authorization", ""), query)):
        return None
    return f"This local AWS answers only who knows its access key id: {_FIX}"


def refuse(headers: Mapping[str, str], why: str) -> tuple[dict[str, str], bytes]:
    """Return headers and body of a 403 that each AWS SDK reads out to its caller."""
    told = {"x-amzn-errortype": "AccessDeniedException"}
    if "json" in headers.get("content-type", ""):
        text = why.replace("\\", "\\\\").replace('"', '\\"')
        body = f'{{"__type": "AccessDeniedException", "message": "{text}"}}'
        return {**told, "content-type": "application/json"}, body.encode()
    text = why.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    body = (
        "<ErrorResponse><Error><Code>AccessDenied</Code>"
        f"<Message>{text}</Message></Error></ErrorResponse>\n"
    )
    return {**told, "content-type": "text/xml"}, body.encode()


def _keys(authorization: str, query: str) -> list[str]:
    """Return the key ids that a request names: in its header, or in its query when presigned."""
    keys = [key for match in _CREDENTIAL.finditer(authorization) for key in match.groups() if key]
    if "X-Amz-Credential=" in query or "AWSAccessKeyId=" in query:
        fields = parse_qs(query)
        keys += [value.partition("/")[0] for value in fields.get("X-Amz-Credential", [])]
        keys += fields.get("AWSAccessKeyId", [])
    return keys
