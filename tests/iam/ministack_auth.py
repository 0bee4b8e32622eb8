"""ministack with AUTH=true and what its evaluator lacks: started as the process that runs it.

Its policy evaluation is its own. Added here: the questions that AWS asks about a DynamoDB request
(authorization.py), about a batch of SNS and SQS, `s3:if-none-match`, S3's 403 for a missing object
that the caller may not list, and a log of every question about an assumed role (IAM_LOG, a JSON
object a line).

One denied statement refuses the whole BatchExecuteStatement, where AWS would refuse it alone.
"""

import contextvars
import json
import os
import sys
import threading
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent))

from authorization import Ask, asks_of

_BODY = "tests:body"
_SINGLE = {
    "sns:PublishBatch": "sns:Publish",
    "sqs:ChangeMessageVisibilityBatch": "sqs:ChangeMessageVisibility",
    "sqs:DeleteMessageBatch": "sqs:DeleteMessage",
    "sqs:SendMessageBatch": "sqs:SendMessage",
}
"""Batches are authorized as what they do. Source: Service Authorization Reference, SNS and SQS."""


class Authorization:
    """What ministack asks before each request, in place of its own."""

    def __init__(self, log):
        from ministack.core import iam_actions, iam_evaluator, responses

        self._enforce = iam_evaluator.enforce
        self._principal = iam_evaluator.resolve_principal
        self._account = responses.get_account_id
        self._s3_context = iam_actions.s3_service_context
        self._log = log
        self._lock = threading.Lock()

    def enforce(self, access_key, action, service, region, resource_arn="*", service_context=None):
        context = dict(service_context or {})
        body = context.pop(_BODY, None)
        asks = [Ask(_SINGLE.get(action, action), resource_arn, context)]
        if body:
            prefix = f"arn:aws:dynamodb:{region}:{self._account()}:table/"
            asks = asks_of(action.partition(":")[2], body, lambda table: prefix + table)
        for ask in asks:
            denied = self._enforce(access_key, ask.action, service, region, ask.resource, ask.keys)
            self._note(access_key, ask, denied)
            if denied:
                return denied
        if action == "s3:GetObject" and _is_missing(resource_arn):
            bucket = resource_arn.partition("/")[0]
            return self._enforce(access_key, "s3:ListBucket", service, region, bucket, {})
        return None

    def _note(self, access_key, ask, denied):
        who = self._principal(access_key or "", self._account())
        if getattr(who, "policies", None) is None:  # the account itself, or nobody
            return
        told = {
            "role": who.arn.split("/")[1],
            "action": ask.action,
            "resource": ask.resource,
            "keys": ask.keys,
            "allowed": denied is None,
        }
        with self._lock:
            self._log.write(json.dumps(told) + "\n")

    def s3_service_context(self, action, query, path="", headers=None):
        context = self._s3_context(action, query, path, headers)
        given = {name.lower(): value for name, value in (headers or {}).items()}
        if "if-none-match" in given:
            context["s3:if-none-match"] = given["if-none-match"]
        return context


def _is_missing(arn):
    from ministack.services import s3

    bucket, _, key = arn.removeprefix("arn:aws:s3:::").partition("/")
    return bool(key) and s3._get_object_data(bucket, key) is None


def install(log):
    """Replace what ministack imports anew for each request."""
    from ministack import app
    from ministack.core import iam_actions, iam_evaluator

    asking = Authorization(log)
    iam_evaluator.enforce = asking.enforce
    iam_actions.s3_service_context = asking.s3_service_context
    iam_actions.dynamodb_service_context = lambda body: {_BODY: json.loads(body or b"{}")}
    iam_actions.dynamodb_transaction_checks = lambda *_: []
    # AWS is reached over TLS alone, and the stage's topics, queues and bucket insist on it.
    iam_evaluator._request_origin = contextvars.ContextVar("origin", default=("127.0.0.1", True))
    app.pin_request_origin = lambda *_: None


if __name__ == "__main__":
    from sqswarm_localstack.ministack_main import main

    with Path(os.environ["IAM_LOG"]).open("a", buffering=1) as opened:
        install(opened)
        main()
