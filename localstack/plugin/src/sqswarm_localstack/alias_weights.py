"""Let an alias of a function get weights by its update.

Stock LocalStack 4.13 calls its own check of them without one of its arguments there: every
UpdateAlias with a RoutingConfig ended as an internal error. CreateAlias is right.
"""

from localstack.services.lambda_.invocation.lambda_models import AliasRoutingConfig, FunctionVersion
from localstack.services.lambda_.provider import LambdaProvider


def take_weights_in_updates() -> None:
    """Give the check a default for what it is not told."""
    stock = LambdaProvider._create_routing_config_model  # noqa: SLF001

    def weights(
        self: LambdaProvider,
        routing_config_dict: dict[str, float],
        function_version: FunctionVersion | None = None,
    ) -> AliasRoutingConfig:
        if function_version is None:
            return AliasRoutingConfig(version_weights=routing_config_dict)
        return stock(self, routing_config_dict, function_version)

    LambdaProvider._create_routing_config_model = weights  # noqa: SLF001
