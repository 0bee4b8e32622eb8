"""Make LocalStack's event source mappings use our SQS poller."""

from typing import Any

from localstack.services.lambda_.event_source_mapping import esm_worker_factory
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
