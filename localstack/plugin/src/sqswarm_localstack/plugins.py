"""What LocalStack finds through our entry points. Heavy modules load when they are used."""

import os
import sys
import tempfile
from pathlib import Path

from localstack.runtime import hooks
from localstack.services.lambda_.invocation.plugins import RuntimeExecutorPlugin
from localstack.services.plugins import Service, aws_provider


class HostRuntimeExecutorPlugin(RuntimeExecutorPlugin):
    """Selected with LAMBDA_RUNTIME_EXECUTOR=sqswarm-host."""

    name = "sqswarm-host"

    def load(self, *_args: object, **_kwargs: object) -> type:
        """Return the executor class that runs functions as local processes."""
        from sqswarm_localstack.executor import HostRuntimeExecutor

        return HostRuntimeExecutor


@aws_provider(api="dynamodb", name="sqswarm")
def dynamodb() -> Service:
    """Selected with PROVIDER_OVERRIDE_DYNAMODB=sqswarm."""
    from sqswarm_localstack.dynamodb import engine_service

    return engine_service("dynamodb")


@aws_provider(api="dynamodbstreams", name="sqswarm")
def dynamodbstreams() -> Service:
    """Selected with PROVIDER_OVERRIDE_DYNAMODBSTREAMS=sqswarm."""
    from sqswarm_localstack.dynamodb import engine_service

    return engine_service("dynamodbstreams")


@aws_provider(api="s3", name="sqswarm")
def s3() -> Service:
    """Selected with PROVIDER_OVERRIDE_S3=sqswarm: stock S3 that keeps its objects to itself.

    Stock S3 has them in /tmp/localstack-s3-storage, whoever looks, in one folder a bucket name:
    of two emulators on a machine, one deletes the other's.
    """
    from localstack.services.s3.provider import S3Provider
    from localstack.services.s3.storage.ephemeral import EphemeralS3ObjectStore

    objects = EphemeralS3ObjectStore(str(Path(tempfile.gettempdir(), "s3-objects")))
    return Service.for_provider(S3Provider(objects))


@hooks.on_infra_start()
def prepare() -> None:
    """Put right what stock LocalStack does differently from AWS, or wastefully."""
    from sqswarm_localstack import (
        access,
        alias_weights,
        event_sources,
        first_use,
        function_logs,
        gateway,
        message_groups,
        metrics,
        reset,
        service_index,
    )

    access.believe_nobody()
    alias_weights.take_weights_in_updates()
    gateway.listen_where_told()
    gateway.save_work_per_request()
    service_index.use_kept_index()
    first_use.link_code_with_one_client()
    first_use.know_regions_without_sessions()
    first_use.start_functions_beside_those_that_end()
    first_use.wait_in_short_steps()
    first_use.load_services_one_at_a_time()
    event_sources.use_concurrent_sqs_poller()
    event_sources.make_no_needless_clients()
    event_sources.look_at_visibility_more_often()
    event_sources.keep_replaced_workers_quiet()
    message_groups.lock_message_groups()
    metrics.buffer_metrics()
    function_logs.batch_function_logs()
    reset.register_reset_endpoint()


@hooks.on_infra_ready()
def use_the_time_until_asked() -> None:
    """Go on starting after LocalStack has said that it is ready."""
    from sqswarm_localstack import first_use

    first_use.load_services_early()


@hooks.on_infra_shutdown(priority=1000)
def leave_at_once() -> None:
    """End the process as soon as it is told to.

    LocalStack's own shutdown waits for its threads, five to more than ten seconds, to save a state
    that host mode does not keep. The functions' processes end with ours.
    """
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(0)
