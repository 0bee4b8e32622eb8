"""Take out of the first deployment what LocalStack does on the first use of anything.

Stock LocalStack indexes all of AWS at the first request of each start (3 s), imports a service when
it is first asked for, and makes a boto3 client for each answer that links to a function's code
(0.1 s of processor time; CloudFormation asks all the time while a function is made).
"""

import logging
import os
import shutil
import sys
import threading
from contextlib import suppress
from functools import lru_cache
from pathlib import Path

import boto3
from localstack.aws import spec
from localstack.aws.spec import ServiceCatalogIndex
from localstack.services.lambda_.invocation import lambda_models
from localstack.services.plugins import SERVICE_PLUGINS, ServiceContainer, ServicePluginManager
from localstack.utils.aws.aws_stack import get_valid_regions_for_service

LOG = logging.getLogger(__name__)

# In the order in which a deployment comes to them; the others load when they are used.
_DEPLOYED_WITH = (
    "sts",
    "s3",
    "cloudformation",
    "sns",
    "sqs",
    "iam",
    "logs",
    "dynamodb",
    "lambda",
    "cloudwatch",
    "events",
)

# Of what a stage consists of; each is a module with its own imports.
_KINDS = (
    "S3::Bucket",
    "S3::BucketPolicy",
    "DynamoDB::Table",
    "SNS::Topic",
    "SNS::Subscription",
    "SQS::Queue",
    "SQS::QueuePolicy",
    "IAM::Role",
    "Logs::LogGroup",
    "Lambda::Function",
    "Lambda::EventSourceMapping",
    "Lambda::Permission",
    "Lambda::Url",
    "CloudWatch::Alarm",
    "Events::Rule",
)


def keep_service_index() -> None:
    """Keep the index of all services beside the environment that it describes.

    LocalStack looks for it in the directory of one instance, which begins empty at every start.
    """
    stock = spec.build_service_index_cache

    def build(file_path: str) -> ServiceCatalogIndex:
        kept = Path(sys.prefix, "cache", Path(file_path).name)  # it names the versions
        with suppress(Exception):  # none yet, or one that cannot be read: any error is answered
            return spec.load_service_index_cache(str(kept))
        index = stock(file_path)
        with suppress(OSError):
            kept.parent.mkdir(exist_ok=True)
            draft = kept.with_name(f".{kept.name}.{os.getpid()}")
            shutil.copyfile(file_path, draft)
            draft.replace(kept)
        return index

    spec.build_service_index_cache = build


def link_code_with_one_client() -> None:
    """Make the client that signs links to functions' code once, not for each link."""
    client = lru_cache(maxsize=8)(lambda kind, options: boto3.client(kind, **dict(options)))
    making = threading.Lock()

    class Boto3:
        @staticmethod
        def client(kind: str, **options: str) -> object:
            with making:  # the default session behind it must not be used by two threads
                return client(kind, tuple(options.items()))

    lambda_models.boto3 = Boto3


def load_services_one_at_a_time() -> None:
    """Let a request wait for the import of another service.

    The services' modules import one another in circles, which two threads at once may see half
    done.
    """
    stock = ServicePluginManager.get_service_container
    loading = threading.RLock()

    def get_service_container(self: ServicePluginManager, name: str) -> ServiceContainer | None:
        if container := self._services.get(name):
            return container
        with loading:
            return stock(self, name)

    ServicePluginManager.get_service_container = get_service_container


def load_services_early() -> None:
    """Load what a deployment needs, in the background, while nobody waits for it yet."""
    threading.Thread(target=_load_services, name="load-services", daemon=True).start()


def _load_services() -> None:
    spec.get_service_catalog()
    for name in _DEPLOYED_WITH:
        try:
            SERVICE_PLUGINS.require(name)
            get_valid_regions_for_service(name)  # the stores of each account ask again
        except Exception:
            # Whoever asks for the service is told.
            LOG.debug("loading %s early failed", name, exc_info=True)
    # Too slow to be imported at the start; the services have loaded both by now.
    from localstack.services.cloudformation.resource_provider import ResourceProviderExecutor
    from localstack.services.moto import get_moto_routing_table

    for kind in _KINDS:
        ResourceProviderExecutor.try_load_resource_provider(f"AWS::{kind}")
    get_moto_routing_table("sns")
