"""The MCP server on Lambda: its function, its Function URL, and a REST API where asked."""

from __future__ import annotations

from collections.abc import Iterator

from troposphere import AWSObject, GetAtt, Output, Sub, apigateway, awslambda

from sqswarm.infra.resources import ServerFunction, Topology
from sqswarm.infra.template.functions import function_parts
from sqswarm.infra.template.logical import arn, digest, ref
from sqswarm.infra.template.permissions import server_statements

_STEM = "Dispatcher"
_FUNCTION = f"{_STEM}Function"
_URL = f"{_STEM}Url"
_API = f"{_STEM}Api"

API_STAGE = "v1"
"""Where the REST API is deployed: the first part of its paths."""


def server(topology: Topology) -> Iterator[AWSObject]:
    """Yield what the server consists of; nothing where the stage has none."""
    front = topology.server
    if front is None:
        return
    yield from function_parts(_STEM, front.function, server_statements(front, topology), topology)
    yield awslambda.Url(
        _URL, TargetFunctionArn=arn(_FUNCTION), AuthType=front.auth, InvokeMode="BUFFERED"
    )
    if front.auth == "NONE":
        yield from _open_url()
    if front.api:
        yield from _api(front, topology)


def server_outputs(topology: Topology) -> Iterator[Output]:
    """Yield where the server is reached."""
    if topology.server is None:
        return
    yield Output("ServerUrl", Description="The MCP server", Value=GetAtt(_URL, "FunctionUrl"))
    if topology.server.api:
        domain = f"${{{_API}}}.execute-api.${{AWS::Region}}.${{AWS::URLSuffix}}"
        yield Output("ServerApiUrl", Value=Sub(f"https://{domain}/{API_STAGE}/"))


def _open_url() -> Iterator[AWSObject]:
    """Let everybody reach the URL: who may call is then the server's own access to decide.

    Source: Lambda, "Control access to function URLs": both statements, since October 2025.
    """
    yield awslambda.Permission(
        f"{_URL}MayBeReached",
        Action="lambda:InvokeFunctionUrl",
        FunctionName=ref(_FUNCTION),
        Principal="*",
        FunctionUrlAuthType="NONE",
    )
    yield awslambda.Permission(
        f"{_URL}MayInvoke",
        Action="lambda:InvokeFunction",
        FunctionName=ref(_FUNCTION),
        Principal="*",
        InvokedViaFunctionUrl=True,
    )


def _api(front: ServerFunction, topology: Topology) -> Iterator[AWSObject]:
    """Yield a REST API that hands every path to the function."""
    region = "${AWS::Region}"
    uri = (
        f"arn:${{AWS::Partition}}:apigateway:{region}:lambda:path/2015-03-31/functions/"
        f"${{{_FUNCTION}.Arn}}/invocations"
    )
    yield apigateway.RestApi(
        _API,
        Name=front.function.name,
        Description=f"The MCP server of stage {topology.names.stage}",
        EndpointConfiguration=apigateway.EndpointConfiguration(Types=["REGIONAL"]),
    )
    yield apigateway.Resource(
        f"{_API}Paths",
        RestApiId=ref(_API),
        ParentId=GetAtt(_API, "RootResourceId"),
        PathPart="{path+}",
    )
    yield apigateway.Method(
        f"{_API}Method",
        RestApiId=ref(_API),
        ResourceId=ref(f"{_API}Paths"),
        HttpMethod="ANY",
        AuthorizationType=front.auth,
        Integration=apigateway.Integration(
            Type="AWS_PROXY", IntegrationHttpMethod="POST", Uri=Sub(uri)
        ),
    )
    # A deployment is a copy of the methods, and never changes: another `auth` needs another one.
    deployment = f"{_API}Deployment{digest(front.auth)}"
    yield apigateway.Deployment(deployment, RestApiId=ref(_API), DependsOn=[f"{_API}Method"])
    yield apigateway.Stage(
        f"{_API}Stage",
        RestApiId=ref(_API),
        DeploymentId=ref(deployment),
        StageName=API_STAGE,
        TracingEnabled=True,
    )
    yield awslambda.Permission(
        f"{_API}MayInvoke",
        Action="lambda:InvokeFunction",
        FunctionName=ref(_FUNCTION),
        Principal="apigateway.amazonaws.com",
        SourceArn=Sub(
            f"arn:${{AWS::Partition}}:execute-api:{region}:${{AWS::AccountId}}:${{{_API}}}/*/*/*"
        ),
    )
