"""``POST /_localstack/state/reset``: forget every resource of every service and account.

The open edition of this version has the hooks for it but not the endpoint. Restarting would do,
at a second and more per test.
"""

import logging
import threading
from typing import Any

from localstack.http import Request, Resource, Response
from localstack.services.events.scheduler import JobScheduler
from localstack.services.internal import get_internal_apis
from localstack.services.plugins import SERVICE_PLUGINS, Service, ServiceState
from localstack.services.stores import AccountRegionBundle
from localstack.state import StateVisitor

from sqswarm_localstack import executor, metrics

LOG = logging.getLogger(__name__)

# What calls others comes first, so that nothing writes to a service that was already emptied.
_FIRST = ("lambda", "events", "scheduler", "cloudformation")


class _Emptier(StateVisitor):
    """Empties whatever state container a provider shows it."""

    def visit(self, state_container: Any) -> None:
        if isinstance(state_container, AccountRegionBundle):
            state_container.reset()
        elif isinstance(state_container, dict):
            # moto's class method reset() would empty every service at once.
            for backends in state_container.values():
                backends.reset()
        # An AssetDirectory is left: S3's is emptied by its own store, and CloudWatch's holds the
        # database whose tables its provider has just cleared.


class ResetEndpoint:
    """Answers the reset requests, one at a time."""

    def __init__(self) -> None:
        """Be ready; nothing is reset yet."""
        self._lock = threading.Lock()

    def on_post(self, _request: Request) -> Response:
        """Reset every service that has been used."""
        with self._lock:
            reset_all()
        return Response(status=200)


def reset_all() -> None:
    """Empty every service that is running; the others have nothing to forget."""
    running = [
        name
        for name in SERVICE_PLUGINS.list_available()
        if SERVICE_PLUGINS.get_state(name) == ServiceState.RUNNING
    ]
    running.sort(key=lambda name: (name not in _FIRST, name))
    for name in running:
        service = SERVICE_PLUGINS.get_service(name)
        if service is not None:
            LOG.debug("resetting %s", name)
            _before(name, service)
            service.lifecycle_hook.on_before_state_reset()
            service.accept_state_visitor(_Emptier())
            service.lifecycle_hook.on_after_state_reset()
    metrics.BUFFER.forget()


def _before(name: str, service: Service) -> None:
    """Stop what the provider's own hooks leave running."""
    provider = service._provider  # noqa: SLF001
    if name == "lambda":
        for worker in list(provider.esm_workers.values()):
            worker.stop_for_shutdown()
        provider.esm_workers.clear()
        # What still runs belongs to the state that ends here; it must not write to the next one.
        executor.kill_all()
    elif name == "s3":
        provider._storage_backend.reset()  # noqa: SLF001
    elif name == "events":
        # Scheduled rules are jobs of a global scheduler; the stores only know their ids.
        JobScheduler.instance().jobs.clear()
        for store in vars(provider).values():
            if isinstance(store, dict):
                store.clear()


def register_reset_endpoint() -> None:
    """Serve the endpoint beside LocalStack's own internal ones."""
    get_internal_apis().add(Resource("/_localstack/state/reset", ResetEndpoint()))
