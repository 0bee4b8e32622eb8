"""Call other services' providers inside LocalStack's process.

The stock event source mapping goes through the gateway for every receive, invoke and delete:
HTTP, parsing and serialising three times per batch, most of the processor time of a whole task.
"""

from functools import lru_cache
from typing import Any

from localstack.aws.api import RequestContext
from localstack.aws.spec import load_service
from localstack.http import Request
from localstack.services.plugins import SERVICE_PLUGINS


def provider(service: str) -> Any:
    """Return the running provider of a service, starting it when this is its first use."""
    return SERVICE_PLUGINS.require(service)._provider  # noqa: SLF001


@lru_cache
def request_context(service: str, account_id: str, region: str) -> RequestContext:
    """Return a context that names no more than service, account and region."""
    context = RequestContext(Request(method="POST", path="/"))
    context.service = load_service(service)
    context.account_id = account_id
    context.region = region
    return context
