"""LocalStack believes nobody it does not know: our gate before all its handlers.

LocalStack itself takes any credentials. What it calls on its own behalf, and the credentials that
its IAM and STS issue (functions get theirs from STS), carry the emulator's secret here.
"""

import re
from functools import lru_cache
from typing import Any

from sqswarm_localstack import gate

_CREDENTIAL = re.compile(r"Credential=([A-Z0-9]+)/")
# Who serves the addresses of functions: Function URLs, and APIs of API Gateway.
_PUBLIC = {"FunctionUrlRouter", "ApiGatewayEndpoint"}


def sign_internal_calls() -> None:
    """Have LocalStack's calls of itself carry the secret. Before LocalStack is imported."""
    from localstack import constants

    constants.INTERNAL_AWS_ACCESS_KEY_ID += gate.secret()


def believe_nobody() -> None:
    """Put the gate before all handlers, and give the secret to those who are to pass it."""
    from localstack.aws.connect import InternalClientFactory
    from localstack.runtime import get_current_runtime
    from moto.core.responses import BaseResponse
    from moto.iam import models as iam

    stock_client = InternalClientFactory.get_client

    def get_client(
        self: Any, *args: Any, aws_access_key_id: str | None = None, **options: Any
    ) -> Any:
        return stock_client(self, *args, aws_access_key_id=known(aws_access_key_id), **options)

    stock_key = iam.generate_access_key_id_from_account_id

    def issue(*args: Any, **options: Any) -> str:
        return str(stock_key(*args, **options)) + gate.secret()

    InternalClientFactory.get_client = get_client
    iam.generate_access_key_id_from_account_id = issue
    BaseResponse.access_key_regex = _CREDENTIAL  # the stock one knows ids of 20 characters only
    get_current_runtime().components.gateway.request_handlers.insert(0, _refuse_strangers)


@lru_cache
def known(key: str | None) -> str | None:
    """Return the key id for what LocalStack uses as one: an account's twelve digits."""
    return gate.key_id(key) if key and len(key) == len(gate.DEFAULT_ACCOUNT) else key


def _refuse_strangers(chain: Any, context: Any, _response: object) -> None:
    request = context.request
    headers = {name.lower(): value for name, value in request.headers.items()}
    query = request.query_string.decode("latin-1")
    why = gate.refusal(headers, query, is_public=False)
    # Which address it is costs more to tell, and is asked of the few without a key.
    if why and _is_public(request):
        why = gate.refusal(headers, query, is_public=True)
    if why:
        told, body = gate.refuse(headers, why)
        chain.respond(403, body, told)
        chain.terminate()  # what follows would let any page read the refusal


def _is_public(request: Any) -> bool:
    """Whether the address is the health report, or leads to a function and nowhere else."""
    from localstack.services.edge import ROUTER
    from rolo.request import get_raw_path
    from werkzeug.exceptions import HTTPException
    from werkzeug.routing import RequestRedirect

    path = request.path
    if path.lstrip("/").startswith("_localstack"):  # comes before the addresses of functions
        return path == "/_localstack/health" and request.method in {"GET", "HEAD"}
    try:
        routes = ROUTER.url_map.bind(server_name=request.host)
        endpoint, _ = routes.match(get_raw_path(request), method=request.method)
    except (HTTPException, RequestRedirect):
        return False
    return type(getattr(endpoint, "__self__", endpoint)).__name__ in _PUBLIC
