"""Signature Version 4 with AWS's own code, both ends. A judge's environment imports it too."""

import re
import time
from datetime import UTC, datetime
from hashlib import sha256

from botocore.auth import SigV4Auth
from botocore.awsrequest import AWSRequest
from botocore.credentials import Credentials

KEY_ID, SECRET, ARN = "AKIASIGNER", "a-secret-of-ada", "arn:aws:iam::000000000000:user/ada"
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=(?P<key>[^/]+)/\d{8}/(?P<region>[^/]+)/lambda/aws4_request, ?"
    r"SignedHeaders=(?P<names>[^,]+), ?Signature=(?P<signature>[0-9a-f]{64})"
)
_SKEW_S = 300


def signer_of(method, url, headers, body):
    """Return the ARN of who signed a request, None where the signature is not good."""
    given = {name.lower(): value for name, value in headers}
    found = _AUTHORIZATION.fullmatch(given.get("authorization", ""))
    stamp = given.get("x-amz-date", "")
    if found is None or found["key"] != KEY_ID or not re.fullmatch(r"\d{8}T\d{6}Z", stamp):
        return None
    signed_at = datetime.strptime(stamp, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC).timestamp()
    names = found["names"].split(";")
    if abs(signed_at - time.time()) > _SKEW_S or not {"host", "x-amz-date"} <= set(names):
        return None
    if given.get("x-amz-content-sha256", "") not in {"", sha256(body).hexdigest()}:
        return None
    request = AWSRequest(method, url, {name: given.get(name, "") for name in names}, body)
    request.context["timestamp"] = stamp
    auth = SigV4Auth(Credentials(KEY_ID, SECRET), "lambda", found["region"])
    text = auth.string_to_sign(request, auth.canonical_request(request))
    return ARN if auth.signature(text, request) == found["signature"] else None


def signed(method, url, body=b"", headers=None):
    """Return the headers of a request that ada signs."""
    request = AWSRequest(method, url, headers or {}, body)
    SigV4Auth(Credentials(KEY_ID, SECRET), "lambda", "us-east-1").add_auth(request)
    return dict(request.headers)
