"""Containers: a Fargate service for each agent that runs in one, scaled on its queue's backlog.

All of it under a condition: without an image (on an emulator, or where other machines run
`sqswarm work`) none of it exists.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from troposphere import (
    AWSObject,
    Equals,
    GetAtt,
    Join,
    Not,
    Parameter,
    Ref,
    Sub,
    Template,
    applicationautoscaling,
    ecs,
    iam,
    logs,
)

from sqswarm.infra.resources import Consumer, Fleet, Topology
from sqswarm.infra.template.functions import text_env
from sqswarm.infra.template.logical import arn, camel, ref
from sqswarm.infra.template.permissions import container_statements, image_statements
from sqswarm.infra.topology import LOG_RETENTION_DAYS

IMAGE = "ContainerImage"
SUBNETS = "ContainerSubnets"
MAX_TASKS = "ContainerMaxTasks"

_WANTED = "ContainersWanted"
_CLUSTER = "Cluster"
_LOGS = "ContainerLogs"
_STARTER = "ContainerStarterRole"
_HEALTH_FILE = "/tmp/sqswarm-worker"  # noqa: S108 - inside the container, which has one user
_HEALTHY_S = 60
_STOP_S = 30
_SIZES_MIB = {
    256: (512, 1024, 2048),
    512: (1024, 2048, 3072, 4096),
    1024: tuple(range(2048, 8193, 1024)),
    2048: tuple(range(4096, 16_385, 1024)),
}
"""CPU units → memory sizes. Source: Amazon ECS, "Task definition: task size", Fargate."""


def add_parameters(template: Template, fleet: Fleet) -> None:
    """Let a deployment say which image runs where; by default what the project says."""
    template.add_parameter(
        Parameter(
            IMAGE,
            Type="String",
            Default=fleet.image,
            Description="Image whose entry point is `sqswarm work`; empty: no services",
        )
    )
    template.add_parameter(
        Parameter(
            SUBNETS,
            Type="CommaDelimitedList",
            Default=",".join(fleet.subnets),
            Description="Subnets of the services, with a way to AWS's endpoints",
        )
    )
    template.add_parameter(
        Parameter(
            MAX_TASKS,
            Type="Number",
            Default=str(fleet.max_tasks),
            MinValue=1,
            Description="Most containers of one agent",
        )
    )
    template.add_condition(_WANTED, Not(Equals(Ref(IMAGE), "")))


def containers(topology: Topology) -> Iterator[AWSObject]:
    """Yield the cluster and each agent's service with its role and scaling."""
    if not topology.in_containers:
        return
    yield ecs.Cluster(
        _CLUSTER,
        ClusterName=topology.names.stack,
        # The number of running tasks is a metric of Container Insights.
        ClusterSettings=[ecs.ClusterSetting(Name="containerInsights", Value="enabled")],
        Condition=_WANTED,
    )
    yield logs.LogGroup(
        _LOGS,
        LogGroupName=f"/aws/ecs/{topology.names.stack}",
        RetentionInDays=LOG_RETENTION_DAYS,
        DeletionPolicy="Delete",
        UpdateReplacePolicy="Delete",
        Condition=_WANTED,
    )
    yield _role(_STARTER, image_statements(topology, f"/aws/ecs/{topology.names.stack}"))
    for consumer in topology.in_containers:
        yield from _service(consumer, topology)


def task_size(memory_mb: int) -> tuple[int, int]:
    """Return Fargate's smallest size (CPU units, MiB) with so much memory; at most 16 GiB."""
    fitting = [
        (size, cpu) for cpu, sizes in _SIZES_MIB.items() for size in sizes if size >= memory_mb
    ]
    size, cpu = min(fitting)
    return cpu, size


def _role(title: str, statements: list[dict[str, Any]]) -> iam.Role:
    return iam.Role(
        title,
        AssumeRolePolicyDocument={
            "Version": "2012-10-17",
            "Statement": [
                {
                    "Effect": "Allow",
                    "Principal": {"Service": "ecs-tasks.amazonaws.com"},
                    "Action": "sts:AssumeRole",
                }
            ],
        },
        Policies=[
            iam.Policy(
                PolicyName="work",
                PolicyDocument={"Version": "2012-10-17", "Statement": statements},
            )
        ],
        Condition=_WANTED,
    )


def _service(consumer: Consumer, topology: Topology) -> Iterator[AWSObject]:
    stem = camel(consumer.key)
    yield _role(f"{stem}TaskRole", container_statements(consumer, topology))
    yield _task(consumer, stem)
    yield ecs.Service(
        f"{stem}Service",
        ServiceName=consumer.function.name,
        Cluster=ref(_CLUSTER),
        TaskDefinition=ref(f"{stem}Task"),
        LaunchType="FARGATE",
        DesiredCount=1,
        DeploymentConfiguration=ecs.DeploymentConfiguration(
            MinimumHealthyPercent=100,
            MaximumPercent=200,
            DeploymentCircuitBreaker=ecs.DeploymentCircuitBreaker(Enable=True, Rollback=True),
        ),
        NetworkConfiguration=ecs.NetworkConfiguration(
            AwsvpcConfiguration=ecs.AwsvpcConfiguration(
                Subnets=Ref(SUBNETS), AssignPublicIp="DISABLED"
            )
        ),
        PropagateTags="SERVICE",
        Condition=_WANTED,
    )
    yield applicationautoscaling.ScalableTarget(
        f"{stem}Scaling",
        ServiceNamespace="ecs",
        ScalableDimension="ecs:service:DesiredCount",
        ResourceId=Join("/", ["service", ref(_CLUSTER), GetAtt(f"{stem}Service", "Name")]),
        MinCapacity=1,
        MaxCapacity=Ref(MAX_TASKS),
        Condition=_WANTED,
    )
    yield _scaling(consumer, stem)


def _task(consumer: Consumer, stem: str) -> ecs.TaskDefinition:
    function = consumer.function
    cpu, memory_mb = task_size(function.memory_mb)
    fresh = f"test $(( $(date +%s) - $(stat -c %Y {_HEALTH_FILE}) )) -lt {_HEALTHY_S}"
    environment = {**function.env, "AWS_REGION": "${AWS::Region}"}
    return ecs.TaskDefinition(
        f"{stem}Task",
        Family=function.name,
        RequiresCompatibilities=["FARGATE"],
        NetworkMode="awsvpc",
        Cpu=str(cpu),
        Memory=str(memory_mb),
        TaskRoleArn=arn(f"{stem}TaskRole"),
        ExecutionRoleArn=arn(_STARTER),
        ContainerDefinitions=[
            ecs.ContainerDefinition(
                Name="worker",
                Image=Ref(IMAGE),
                Essential=True,
                Command=[
                    *(consumer.key, "--agents", function.env["SQSWARM_AGENTS"]),
                    *("--health-file", _HEALTH_FILE),
                ],
                Environment=[
                    ecs.Environment(Name=name, Value=text_env(value))
                    for name, value in sorted(environment.items())
                ],
                HealthCheck=ecs.HealthCheck(
                    Command=["CMD-SHELL", fresh], Interval=30, Retries=3, StartPeriod=60, Timeout=5
                ),
                LogConfiguration=ecs.LogConfiguration(
                    LogDriver="awslogs",
                    Options={
                        "awslogs-group": ref(_LOGS),
                        "awslogs-region": Sub("${AWS::Region}"),
                        "awslogs-stream-prefix": consumer.key,
                    },
                ),
                StopTimeout=_STOP_S,
            )
        ],
        Condition=_WANTED,
    )


def _scaling(consumer: Consumer, stem: str) -> applicationautoscaling.ScalingPolicy:
    """Track the backlog per container: as much as one works on at a time.

    Source: Application Auto Scaling, "Target tracking with metric math"; Amazon SQS, "Scaling
    based on SQS": the backlog per worker, not the queue's length.
    """
    queue, service = consumer.queue.name, consumer.function.name
    return applicationautoscaling.ScalingPolicy(
        f"{stem}ScalingPolicy",
        PolicyName=service,
        PolicyType="TargetTrackingScaling",
        ScalingTargetId=ref(f"{stem}Scaling"),
        TargetTrackingScalingPolicyConfiguration=(
            applicationautoscaling.TargetTrackingScalingPolicyConfiguration(
                TargetValue=float(consumer.spec.concurrency if consumer.spec else 1),
                ScaleInCooldown=300,
                ScaleOutCooldown=60,
                CustomizedMetricSpecification=applicationautoscaling.CustomizedMetricSpecification(
                    Metrics=[
                        _metric(
                            "waiting",
                            "AWS/SQS",
                            "ApproximateNumberOfMessagesVisible",
                            "Maximum",
                            {"QueueName": queue},
                        ),
                        _metric(
                            "running",
                            "ECS/ContainerInsights",
                            "RunningTaskCount",
                            "Average",
                            {"ClusterName": ref(_CLUSTER), "ServiceName": service},
                        ),
                        applicationautoscaling.TargetTrackingMetricDataQuery(
                            Id="backlog",
                            Label="Tasks waiting per container",
                            Expression="FILL(waiting, 0) / IF(FILL(running, 1) < 1, 1, running)",
                            ReturnData=True,
                        ),
                    ]
                ),
            )
        ),
        Condition=_WANTED,
    )


def _metric(
    id_: str, namespace: str, name: str, statistic: str, dimensions: dict[str, Any]
) -> applicationautoscaling.TargetTrackingMetricDataQuery:
    return applicationautoscaling.TargetTrackingMetricDataQuery(
        Id=id_,
        ReturnData=False,
        MetricStat=applicationautoscaling.TargetTrackingMetricStat(
            Stat=statistic,
            Metric=applicationautoscaling.TargetTrackingMetric(
                Namespace=namespace,
                MetricName=name,
                Dimensions=[
                    applicationautoscaling.TargetTrackingMetricDimension(Name=key, Value=value)
                    for key, value in dimensions.items()
                ],
            ),
        ),
    )
