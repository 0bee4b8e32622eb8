"""ministack with AUTH=true and what its evaluator lacks: started as the process that runs it.

Its policy evaluation is its own. Added here: the questions that AWS asks about a DynamoDB request
(authorization.py), a batch's own action of SNS and SQS, S3's 403 for a missing object that the caller may not list, `s3:if-none-match`,
and a log of every question about an assumed role (IAM_LOG, a JSON object a line).

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


def install():
    """Replace what ministack imports anew for each request."""
    from ministack import app
    from ministack.core import iam_actions, iam_evaluator

    plain_enforce = iam_evaluator.enforce
    plain_s3_context = iam_actions.s3_service_context
    log = Path(os.environ["IAM_LOG"]).open("a", buffering=1)  # noqa: SIM115 - as long as it runs
    lock = threading.Lock()

    def enforce(access_key, action, service, region, resource_arn="*", service_context=None):
        context = dict(service_context or {})
        body = context.pop(_BODY, None)
        asks = [Ask(_SINGLE.get(action, action), resource_arn, context)]
        if service == "dynamodb" and body and action != "dynamodb:DescribeTable":
            prefix = f"arn:aws:dynamodb:{region}:{iam_evaluator_account()}:table/"
            asks = asks_of(action.partition(":")[2], body, lambda table: prefix + table)
        for ask in asks:
            denied = plain_enforce(
                access_key, ask.action, service, region, ask.resource, dict(ask.keys)
            )
            note(access_key, ask, denied)
            if denied:
                return denied
        if action == "s3:GetObject" and is_missing(resource_arn):
            bucket = resource_arn.partition("/")[0]
            return plain_enforce(access_key, "s3:ListBucket", service, region, bucket, {})
        return None

    def iam_evaluator_account():
        from ministack.core.responses import get_account_id

        return get_account_id()

    def note(access_key, ask, denied):
        who = iam_evaluator.resolve_principal(access_key or "", iam_evaluator_account())
        if getattr(who, "policies", None) is None:  # the account itself, or nobody
            return
        told = {
            "role": who.arn.split("/")[1],
            "action": ask.action,
            "resource": ask.resource,
            "keys": ask.keys,
            "allowed": denied is None,
        }
        with lock:
            log.write(json.dumps(told) + "\n")

    def is_missing(arn):
        from ministack.services import s3

        bucket, _, key = arn.removeprefix("arn:aws:s3:::").partition("/")
        return bool(key) and s3._get_object_data(bucket, key) is None

    def dynamodb_service_context(body):
        return {_BODY: json.loads(body or b"{}")}

    def s3_service_context(action, query, path="", headers=None):
        context = plain_s3_context(action, query, path, headers)
        given = {name.lower(): value for name, value in (headers or {}).items()}
        if "if-none-match" in given:
            context["s3:if-none-match"] = given["if-none-match"]
        return context

    iam_evaluator.enforce = enforce
    iam_actions.dynamodb_service_context = dynamodb_service_context
    iam_actions.dynamodb_transaction_checks = lambda *_: []
    iam_actions.s3_service_context = s3_service_context
    # AWS is reached over TLS alone, and the stage's queues and bucket insist on it.
    iam_evaluator._request_origin = contextvars.ContextVar("origin", default=("127.0.0.1", True))
    app.pin_request_origin = lambda *_: None


if __name__ == "__main__":
    install()
    from sqswarm_localstack.ministack_main import main

    main()
