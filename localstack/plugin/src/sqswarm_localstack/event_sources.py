"""Make LocalStack's event source mappings use our SQS poller."""

from collections.abc import Callable
from functools import cached_property, partial
from typing import Any

from localstack.services.lambda_ import provider as lambda_provider
from localstack.services.lambda_.event_source_mapping import esm_worker_factory, pipe_utils
from localstack.services.lambda_.event_source_mapping.esm_worker import EsmState, EsmWorker
from localstack.services.sqs import provider as sqs
from localstack.utils.scheduler import Scheduler

from sqswarm_localstack.sqs_poller import ConcurrentSqsPoller


def use_concurrent_sqs_poller() -> None:
    """Replace LocalStack's SQS poller, which handles one batch at a time.

    The stock factory does not pass the mapping's ScalingConfig on, so it is wrapped as well.
    """
    esm_worker_factory.SqsPoller = ConcurrentSqsPoller
    stock = esm_worker_factory.EsmWorkerFactory.get_esm_worker

    def get_esm_worker(self: esm_worker_factory.EsmWorkerFactory) -> EsmWorker:
        worker = stock(self)
        if isinstance(worker.poller, ConcurrentSqsPoller):
            worker.poller.configure(self.esm_config)
        return worker

    esm_worker_factory.EsmWorkerFactory.get_esm_worker = get_esm_worker


class _ClientWhenUsed:
    """Stands for a boto3 client, which is made with the first use of any of its parts."""

    def __init__(self, make: Callable[[], Any]) -> None:
        self._make = make

    @cached_property
    def _client(self) -> Any:
        return self._make()

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)


def make_no_needless_clients() -> None:
    """Spare each event source three boto3 clients, 0.1 s of processor time.

    Our poller uses none of the two that it is given, and the check whether a queue exists needs
    none that has assumed the function's role: nothing here enforces one.
    """
    stock = pipe_utils.get_internal_client

    def when_used(arn: str, **options: Any) -> _ClientWhenUsed:
        return _ClientWhenUsed(partial(stock, arn, **options))

    def without_role(arn: str, **_role: Any) -> Any:
        return stock(arn)  # which LocalStack keeps

    esm_worker_factory.get_internal_client = when_used
    lambda_provider.get_internal_client = without_role


_LOOK_EVERY_S = 0.2


def look_at_visibility_more_often() -> None:
    """Let messages reappear within a fifth of a second of their time.

    The stock worker looks once a second, which makes every short backoff up to a second longer.
    """

    class FrequentScheduler(Scheduler):
        def schedule(self, func: Any, period: float | None = None, **kwargs: Any) -> Any:
            if getattr(func, "__func__", None) is sqs.QueueUpdateWorker.do_update_all_queues:
                period = _LOOK_EVERY_S
            return super().schedule(func, period=period, **kwargs)

    sqs.Scheduler = FrequentScheduler


def keep_replaced_workers_quiet() -> None:
    """Keep a replaced worker from writing Disabled over its successor's Enabled.

    An update makes a new worker, which writes its own state, and stops the old one, whose loop
    ends, and would write its state, later.
    """

    def stop(self: EsmWorker) -> None:
        with self._state_lock:
            self.enabled = False
            self.current_state = EsmState.DISABLED
        self._graceful_shutdown_triggered = True
        self._shutdown_event.set()

    EsmWorker.stop = stop
