"""The registry: which agents the named modules declare."""

from __future__ import annotations

import importlib
from collections.abc import Sequence

from sqswarm.schemas.errors import InvalidAgent, SwarmError
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
            message = f"cannot import the agents' module {module_name!r}: {error}{_place(error)}"
            raise InvalidAgent(
                message,
                hint="Check [tool.sqswarm] agents and pythonpath in pyproject.toml, or --agents.",
            ) from error
        except SyntaxError as error:
            import traceback  # a cold start has no need of it

            shown = "".join(traceback.format_exception_only(error)).strip()
            raise InvalidAgent(
                f"the agents' module {module_name!r} is no valid Python:\n{shown}",
                hint="Mend the line that the caret points at.",
            ) from error
        except SwarmError:
            raise
        except Exception as error:
            what = f"{type(error).__name__}: {error}{_place(error)}"
            raise InvalidAgent(
                f"the agents' module {module_name!r} raises while it is imported: {what}",
                hint="Importing a module should do nothing: move that work into the agent.",
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


def _place(error: BaseException) -> str:
    """Return where in the agents' own code `error` came up, as file and line; nothing elsewhere."""
    import traceback

    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if frame.filename != __file__ and not frame.filename.startswith("<frozen ")
    ]
    own = [frame for frame in frames if "importlib" not in frame.filename]
    return f'\n  File "{own[-1].filename}", line {own[-1].lineno}: {own[-1].line}' if own else ""
