"""The environment in which LocalStack runs without Docker."""

from collections.abc import Mapping

SERVICES = (
    "sqs,sns,dynamodb,dynamodbstreams,lambda,s3,cloudformation,iam,sts,logs,events,scheduler,"
    "cloudwatch,apigateway,ssm,secretsmanager,kms"
)

_FIXED = {
    "SERVICES": SERVICES,
    "STRICT_SERVICE_LOADING": "1",
    # Where /.dockerenv exists LocalStack believes it owns the container and writes to its paths.
    "OVERRIDE_IN_DOCKER": "0",
    # Queue URLs that need no name resolution of *.localhost.
    "SQS_ENDPOINT_STRATEGY": "path",
    # No usage telemetry, no certificate download, no DNS server: nothing leaves the machine.
    "DISABLE_EVENTS": "1",
    "SKIP_SSL_CERT_DOWNLOAD": "1",
    "DNS_ADDRESS": "0",
    "LS_LOG": "warn",
    "LAMBDA_RUNTIME_EXECUTOR": "sqswarm-host",
    "LAMBDA_KEEPALIVE_MS": "600000",
    "LAMBDA_RETRY_BASE_DELAY": "1",
    "LAMBDA_EVENT_SOURCE_MAPPING_POLL_INTERVAL_SEC": "0.01",
    "LAMBDA_EVENT_SOURCE_MAPPING_MAX_BACKOFF_ON_EMPTY_POLL_SEC": "0.01",
    # CloudFormation's engine sleeps a second between looks after this many; its default is 5.
    "CFN_NO_WAIT_ITERATIONS": "200",
    "PROVIDER_OVERRIDE_DYNAMODB": "sqswarm",
    "PROVIDER_OVERRIDE_DYNAMODBSTREAMS": "sqswarm",
    "PROVIDER_OVERRIDE_S3": "sqswarm",
}


def host_mode_environment(environ: Mapping[str, str], *, port: int = 4566) -> dict[str, str]:
    """Defaults for every variable that host mode needs; ``environ`` decides the address.

    A caller that sets a variable itself keeps its value: apply these with ``setdefault``.
    """
    listen = environ.get("GATEWAY_LISTEN", f"127.0.0.1:{port}")
    return {**_FIXED, "GATEWAY_LISTEN": listen, "LOCALSTACK_HOST": listen}
