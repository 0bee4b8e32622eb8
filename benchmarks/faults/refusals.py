"""Refusals: how each service says "throttled" and "broken", in its own protocol.

Source: botocore's service models and AWS's error references ("Common errors" of SNS and SQS,
DynamoDB "Error handling", S3 "Error responses").
"""

from __future__ import annotations

import json
from dataclasses import dataclass

from benchmarks.faults.call import Call
from benchmarks.faults.rules import Fault

_JSON = {
    ("dynamodb", Fault.THROTTLE): (
        400,
        "com.amazonaws.dynamodb.v20120810#ProvisionedThroughputExceededException",
    ),
    ("dynamodb", Fault.BROKEN): (500, "com.amazonaws.dynamodb.v20120810#InternalServerError"),
    ("sqs", Fault.THROTTLE): (400, "com.amazonaws.sqs#ThrottlingException"),
    ("sqs", Fault.BROKEN): (503, "com.amazonaws.sqs#ServiceUnavailable"),
}
_XML = {
    ("sns", Fault.THROTTLE): (400, "Throttling"),
    ("sns", Fault.BROKEN): (500, "InternalError"),
    ("s3", Fault.THROTTLE): (503, "SlowDown"),
    ("s3", Fault.BROKEN): (500, "InternalError"),
}


@dataclass(frozen=True, kw_only=True)
class Refusal:
    """An answer that refuses a request."""

    status: int
    content_type: str
    body: bytes


def refusal(call: Call, fault: Fault) -> Refusal:
    """Return the answer of the call's service; raises KeyError for one that is not known here."""
    found = _JSON.get((call.service, fault))
    if found is not None:
        status, kind = found
        body = json.dumps({"__type": kind, "message": f"injected: {fault}"}).encode()
        return Refusal(status=status, content_type="application/x-amz-json-1.0", body=body)
    status, code = _XML[call.service, fault]
    error = f"<Error><Type>Sender</Type><Code>{code}</Code><Message>injected</Message></Error>"
    text = error if call.service == "s3" else f"<ErrorResponse>{error}</ErrorResponse>"
    return Refusal(status=status, content_type="text/xml", body=text.encode())
