"""The registry: which agents the named modules declare."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

from sqswarm.schemas.errors import InvalidAgent
from sqswarm.workers.agent import Agent, AnyAgent


def load_agents(modules: Sequence[str]) -> dict[str, AnyAgent]:
    """Import `modules` and return the agents found in them, by name, in the names' order.

    An agent counts where a module's global names it, so a module may gather agents by importing
    them. Raises InvalidAgent where a module cannot be imported, declares none, or two agents
    share a name.
    """
    found: dict[str, AnyAgent] = {}
    home: dict[str, str] = {}
    for module_name in modules:
        try:
            module = importlib.import_module(module_name)
        except ImportError as error:
            message = f"cannot import the agents' module {module_name!r}: {error}"
            raise InvalidAgent(
                message,
                hint="Check [tool.sqswarm] agents and pythonpath in pyproject.toml, or --agents.",
            ) from error
        agents = [value for value in vars(module).values() if isinstance(value, Agent)]
        if not agents:
            message = f"the module {module_name!r} declares no agent"
            raise InvalidAgent(message, hint="Decorate a function with @agent, or import one.")
        for agent in agents:
            where = home.setdefault(agent.name, module_name)
            if found.setdefault(agent.name, agent) is not agent:
                message = f"two agents are called {agent.name!r}, in {where} and in {module_name}"
                raise InvalidAgent(message, hint="Rename one: @agent(name=...).")
    return dict(sorted(found.items()))
