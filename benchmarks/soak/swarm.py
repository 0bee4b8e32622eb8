"""The soak's swarm: deployed to an emulator, its functions behind the fault proxy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path

from benchmarks.faults import Proxy
from benchmarks.faults.redirect import redirect, shorten_visibility
from sqswarm.backends.aws.connect import client_factory, settings_from_environment
from sqswarm.infra.deploy import deploy
from sqswarm.infra.plan import plan
from sqswarm.infra.project import find_project
from sqswarm.infra.topology import HOUSEKEEPING
from sqswarm.schemas.naming import Names

MODULE = "benchmarks.soak.agents"
VISIBILITY_MARGIN_S = 2
"""Visibility beyond the lease: a delivery that comes back finds the lease over."""


def deploy_behind(proxy: Proxy, *, stage: str, variables: Mapping[str, str] | None = None) -> Names:
    """Deploy the soak's agents to `stage`, every function's AWS calls going through `proxy`.

    `variables` are given to the agents' functions too. Lost attempts come back soon: the queues'
    visibility is the lease and a little, not the usual six time-outs.
    """
    settings = replace(settings_from_environment(), stage=stage)
    project = find_project(Path(__file__).parent, modules=[MODULE])
    planned = plan(project, stage=stage)
    names = deploy(settings, planned).names
    clients = client_factory(settings)
    functions = [names.function(name) for name in (*planned.specs, HOUSEKEEPING)]
    redirect(
        clients("lambda"),
        functions,
        {"AWS_ENDPOINT_URL": proxy.endpoint_url, **(variables or {})},
    )
    base = f"{proxy.upstream}/{names.account}/"
    shorten_visibility(
        clients("sqs"),
        {
            base + names.queue(spec.name, ordered=spec.ordered): spec.lease_s + VISIBILITY_MARGIN_S
            for spec in planned.specs.values()
        },
    )
    return names
