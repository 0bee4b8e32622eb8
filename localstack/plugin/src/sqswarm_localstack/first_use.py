"""Take out of the first deployment what LocalStack does on the first use of anything.

Stock LocalStack imports a service when it is first asked for, and makes a boto3 client for each
answer that links to a function's code (0.1 s of processor time; CloudFormation asks all the time
while a function is made).
"""

import logging
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import lru_cache
from typing import Any

import boto3
from botocore.loaders import create_loader
from botocore.regions import EndpointResolver
from botocore.waiter import Waiter
from localstack.aws import spec
from localstack.aws.connect import connect_to
from localstack.constants import AWS_REGION_US_EAST_1
from localstack.services import stores
from localstack.services.lambda_.invocation import lambda_models
from localstack.services.lambda_.invocation.lambda_service import LambdaService
from localstack.services.plugins import SERVICE_PLUGINS, ServiceContainer, ServicePluginManager
from localstack.utils.aws import aws_stack

from sqswarm_localstack import access

LOG = logging.getLogger(__name__)

_STEP_S = 0.05
_TASKS = 64

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


def link_code_with_one_client() -> None:
    """Make the client that signs links to functions' code once, not for each link."""
    client = lru_cache(maxsize=8)(lambda kind, options: boto3.client(kind, **dict(options)))
    making = threading.Lock()

    class Boto3:
        @staticmethod
        def client(kind: str, aws_access_key_id: str, **options: str) -> object:
            options["aws_access_key_id"] = str(access.known(aws_access_key_id))
            with making:  # the default session behind it must not be used by two threads
                return client(kind, tuple(options.items()))

    lambda_models.boto3 = Boto3


def know_regions_without_sessions() -> None:
    """List the regions of a service from one table, once read, and the model that is loaded.

    The stock function makes a boto3 session for each service, which reads the table of all
    endpoints and the service's model again: 0.1 s of processor time.
    """
    table = create_loader().load_data("endpoints")
    resolver = EndpointResolver(table)

    @lru_cache
    def regions(service_name: str) -> list[str]:
        prefix = spec.load_service(service_name).endpoint_prefix
        return [
            *resolver.get_available_endpoints(prefix),
            *resolver.get_available_endpoints("monitoring", "aws-us-gov"),
            *resolver.get_available_endpoints("monitoring", "aws-cn"),
        ]

    aws_stack.get_valid_regions_for_service = stores.get_valid_regions_for_service = regions


def start_functions_beside_those_that_end() -> None:
    """Give functions' starts and ends threads enough.

    Stock LocalStack has four more than processors for both. The end of an old version sleeps up to
    a second in one of them, and what starts waits behind it.
    """
    stock = LambdaService.__init__

    def init(self: LambdaService) -> None:
        stock(self)
        self.task_executor.shutdown()
        self.task_executor = ThreadPoolExecutor(_TASKS, thread_name_prefix="lambda-service-task")

    LambdaService.__init__ = init


def wait_in_short_steps() -> None:
    """Let what LocalStack waits for be seen when it is there.

    CloudFormation updates a function with boto3's waiters, whose steps of a second and more are
    meant for AWS; a waiter in this process waits for this process.
    """
    stock = Waiter.wait

    def wait(self: Waiter, **request: Any) -> None:
        steps = int(self.config.max_attempts * self.config.delay / _STEP_S)
        request.setdefault("WaiterConfig", {"Delay": _STEP_S, "MaxAttempts": steps})
        stock(self, **request)

    Waiter.wait = wait


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
            stores.get_valid_regions_for_service(name)  # which every account's store asks
            connect_to(region_name=AWS_REGION_US_EAST_1).get_client(name)
        except Exception:
            # Whoever asks for the service is told.
            LOG.debug("loading %s early failed", name, exc_info=True)
    # Too slow to be imported at the start; the services have loaded both by now.
    from localstack.services.cloudformation.resource_provider import ResourceProviderExecutor
    from localstack.services.moto import get_moto_routing_table
    from moto.core.utils import get_service_model

    for kind in _KINDS:
        ResourceProviderExecutor.try_load_resource_provider(f"AWS::{kind}")
    get_moto_routing_table("sns")
    for name in ("sts", "sns", "iam", "logs"):
        get_service_model(name)
