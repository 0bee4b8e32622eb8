"""The soak's swarm: deployed to an emulator, its functions behind the fault proxy."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path

from benchmarks.faults import Proxy
from benchmarks.soak.function_process import EDITION
from sqswarm.backends.aws.connect import settings_from_environment
from sqswarm.infra.deploy import deploy
from sqswarm.infra.plan import Plan, plan
from sqswarm.infra.project import find_project
from sqswarm.infra.resources import Consumer, Topology
from sqswarm.infra.template import render, template_names
from sqswarm.schemas.naming import Names

MODULE = "benchmarks.soak.agents"
VISIBILITY_MARGIN_S = 2
"""Visibility beyond the lease: a delivery that comes back finds the lease over."""


@dataclass(frozen=True, kw_only=True)
class PlanBehind(Plan):
    """A stage whose functions get `variables` too, the proxy's address among them.

    An endpoint in a function's own environment comes before the emulator's. Lost attempts come
    back soon: the queues' visibility is the lease and a little, not the usual six time-outs.
    """

    variables: Mapping[str, str] = field(default_factory=dict)

    def topology(self, names: Names) -> Topology:
        """Return the topology under the names of one account and region."""
        plain = super().topology(names)
        return replace(
            plain,
            agents=tuple(map(self._behind, plain.agents)),
            unrouted=self._behind(plain.unrouted),
        )

    def _behind(self, consumer: Consumer) -> Consumer:
        env = {**consumer.function.env, **self.variables}
        queue = consumer.queue
        if consumer.spec is not None:
            visibility_s = consumer.spec.lease_s + VISIBILITY_MARGIN_S
            queue = replace(queue, visibility_s=visibility_s)
        return replace(consumer, function=replace(consumer.function, env=env), queue=queue)

    def edition(self, number: int, folder: Path) -> PlanBehind:
        """Return the plan of changed code; `folder` gets the module that is new in it."""
        folder.mkdir(exist_ok=True)
        (folder / f"{EDITION}.py").write_text(f"NUMBER = {number}\n")
        project = replace(self.project, pythonpath=(folder, *self.project.pythonpath))
        project.activate()
        return replace(self, project=project, imported=self.imported | {EDITION})


def plan_behind(
    proxy: Proxy, *, stage: str, variables: Mapping[str, str] | None = None
) -> PlanBehind:
    """Return the plan of the soak's agents, every function's AWS calls going through `proxy`."""
    plain = plan(find_project(Path(__file__).parent, modules=[MODULE]), stage=stage)
    given = {"AWS_ENDPOINT_URL": proxy.endpoint_url, **(variables or {})}
    behind = PlanBehind(**vars(plain), variables=given)
    return replace(behind, rendered=render(behind.topology(template_names(stage))))


def deploy_behind(planned: PlanBehind) -> Names:
    """Deploy it to the environment's emulator, and round the proxy."""
    return deploy(replace(settings_from_environment(), stage=planned.stage), planned).names
