"""Plan: a project's agents and one stage, ready to render, to deploy or to compare."""

from __future__ import annotations

import os
import platform
import sys
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from hashlib import sha256
from types import MappingProxyType

from sqswarm.infra.notify import with_notify
from sqswarm.infra.project import Project
from sqswarm.infra.publishing import check_publishing
from sqswarm.infra.resources import Topology
from sqswarm.infra.template import Rendered, render, template_names
from sqswarm.infra.template.limits import FILTERS_A_TOPIC, crowded
from sqswarm.infra.topology import topology
from sqswarm.schemas.agent_spec import AgentSpec
from sqswarm.schemas.catalogue import Catalogue
from sqswarm.schemas.map_run import MAP_RUN
from sqswarm.schemas.naming import Names

_ARCHITECTURES = {"aarch64": "arm64", "arm64": "arm64"}
_NEWEST_RUNTIME = (3, 14)
"""Source: Lambda runtimes, November 2025."""


@dataclass(frozen=True, kw_only=True)
class Plan:
    """What a stage is to be. `rendered` is the CloudFormation text, the same for every account."""

    stage: str
    project: Project
    specs: Mapping[str, AgentSpec]
    rendered: Rendered
    paused: frozenset[str] = frozenset()
    """Agents that are paused: their functions are given no messages."""
    imported: frozenset[str] = frozenset()
    """Modules that importing the agents has loaded, beside those that stood loaded before."""

    @property
    def template_digest(self) -> str:
        """Return what tells one stage's templates from another's."""
        return sha256("".join((self.template, *self.parts)).encode()).hexdigest()

    @property
    def template(self) -> str:
        """Return the template of the stage's own stack."""
        return self.rendered.template

    @property
    def parts(self) -> tuple[str, ...]:
        """Return the templates of further stacks, where one does not hold all agents."""
        return self.rendered.parts

    @property
    def catalogue(self) -> Catalogue:
        """Return what dispatchers will read."""
        return replace(Catalogue.of(self.specs.values()), notify=self.project.notify.targets)

    @property
    def notes(self) -> tuple[str, ...]:
        """Return what whoever deploys it should know."""
        return (*self._notes_of_calls(), *self._notes_of_topics())

    def _notes_of_calls(self) -> Iterator[str]:
        # To call whatever agent it is asked for is what a map run is there for.
        anybody = [
            name for name, spec in self.specs.items() if spec.calls is None and name != MAP_RUN
        ]
        if anybody and len(self.specs) > 1:
            who = ", ".join(anybody)
            note = f"whose calls their code does not tell may call every agent: {who}"
            yield f"{note} (fix: @agent(calls=[...]))"

    def _notes_of_topics(self) -> Iterator[str]:
        for topic, filters in crowded(self.topology(template_names(self.stage))).items():
            yield (
                f"{topic} needs {filters} filter policies, and SNS takes {FILTERS_A_TOPIC} a topic "
                "unless AWS has raised your quota: without that the deployment fails and is taken "
                "back (fix: put agents in another stage, or ask AWS first)"
            )

    @property
    def requirements(self) -> tuple[str, ...]:
        """Return the packages that agents ask for by themselves."""
        return tuple(sorted({name for spec in self.specs.values() for name in spec.requirements}))

    def topology(self, names: Names) -> Topology:
        """Return the topology under the names of one account and region."""
        return _topology(self.specs, names, self.project, self.paused)

    def as_deployed(
        self, *, paused: Collection[str] = (), standing: Sequence[Sequence[str]] = ()
    ) -> Plan:
        """Return this plan for a stage that stands.

        Some agents are paused there, and each stays in the stack where it is (`standing`).
        """
        pausing = frozenset(paused) & self.specs.keys()
        if pausing == self.paused and not self.parts and len(standing) <= 1:
            return self
        made = _topology(self.specs, template_names(self.stage), self.project, pausing)
        return replace(self, paused=pausing, rendered=render(made, standing))


def plan(project: Project, *, stage: str) -> Plan:
    """Import the project's agents and return the plan of `stage`.

    Raises InvalidAgent for what AWS could not run: everything is checked before anything is sent.
    """
    from sqswarm.infra.calls import specs_with_calls
    from sqswarm.workers.registry import load_agents

    project.activate()
    before = {*sys.modules}
    specs = {
        name: _with_handed_on(spec, os.environ)
        for name, spec in specs_with_calls(load_agents(project.modules)).items()
    }
    made = plan_of(specs, project, stage=stage)
    return replace(made, imported=frozenset(sys.modules.keys() - before))


def _with_handed_on(spec: AgentSpec, environment: Mapping[str, str]) -> AgentSpec:
    handed_on = {name: environment[name] for name in spec.handed_on if environment.get(name)}
    return replace(spec, env=MappingProxyType({**handed_on, **spec.env}))


def plan_of(specs: Mapping[str, AgentSpec], project: Project, *, stage: str) -> Plan:
    """Return the plan of declarations that are at hand; raises InvalidAgent as `plan` does."""
    specs = with_notify(specs, project.notify)
    check_publishing(specs.values())
    rendered = render(_topology(specs, template_names(stage), project))
    return Plan(stage=stage, project=project, specs=specs, rendered=rendered)


def architecture() -> str:
    """Return this machine's architecture in Lambda's words."""
    return _ARCHITECTURES.get(platform.machine(), "x86_64")


def _topology(
    specs: Mapping[str, AgentSpec],
    names: Names,
    project: Project,
    paused: Collection[str] = (),
) -> Topology:
    return topology(
        specs.values(),
        names=names,
        modules=project.modules,
        runtime="python{}.{}".format(*min(sys.version_info[:2], _NEWEST_RUNTIME)),
        architecture=architecture(),
        fleet=project.fleet,
        server=project.server,
        tracing=project.tracing,
        metrics=project.metrics,
        paused=paused,
        keep_versions=project.keep_versions,
        notify=project.notify.targets,
        webhooks=project.notify.environment,
    )
