"""Invoke a function inside LocalStack's process."""

from localstack.aws.api.lambda_ import InvocationType
from localstack.services.lambda_.api_utils import function_locators_from_arn
from localstack.services.lambda_.invocation.lambda_models import InvocationResult
from localstack.utils.strings import long_uid

from sqswarm_localstack.internal import provider


class FunctionCall:
    """A function, version or alias that can be invoked and waited for."""

    def __init__(self, function_arn: str) -> None:
        """Name it by the ARN that the event source mapping holds."""
        name, self._qualifier, self._account_id, self._region = function_locators_from_arn(
            function_arn
        )
        self._name = name

    def invoke(self, payload: bytes) -> InvocationResult:
        """Run the function to its end.

        Raises what the Lambda API would answer: throttled, not found, not ready.
        """
        return provider("lambda").lambda_service.invoke(
            function_name=self._name,
            qualifier=self._qualifier,
            region=self._region,
            account_id=self._account_id,
            invocation_type=InvocationType.RequestResponse,
            client_context=None,
            request_id=long_uid(),
            payload=payload,
            trace_context={},
        )
