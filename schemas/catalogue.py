"""The catalogue: the deployed agents' MCP tool definitions, as dispatchers read them.

`sqswarm deploy` writes it, so that a dispatcher never imports worker code.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import field, replace

from sqswarm.schemas.agent_spec import AgentSpec, Durability, Schedule, Subscription
from sqswarm.schemas.as_tool import AsTool
from sqswarm.schemas.errors import NotDeployed, UndeclaredCall, UnknownAgent, UnknownTopic
from sqswarm.schemas.join import Join
from sqswarm.schemas.json import JsonObject, dumps, loads
from sqswarm.schemas.value import dataclass

CATALOGUE_KEY = "catalogue.json"
"""Where the catalogue lies in the stage's bucket."""

FORMAT = 2
"""Also the layout of the stage's table and bucket: a stage of another format is made anew."""


@dataclass(frozen=True, kw_only=True)
class CatalogueEntry:
    """What a dispatcher knows of one agent."""

    name: str
    title: str
    description: str
    input_schema: JsonObject
    output_schema: JsonObject | None
    wrapped: bool
    durability: Durability
    ordered: bool
    max_attempts: int
    timeout_s: int
    subscriptions: tuple[Subscription, ...]
    schedules: tuple[Schedule, ...] = ()
    as_tool: AsTool = field(default_factory=AsTool)
    calls: tuple[str, ...] | None = None
    patches: tuple[str, ...] = ()
    notify: tuple[str, ...] = ()
    publishes: str | None = None
    joins: Join | None = None
    singleton: str | None = None

    @classmethod
    def of(cls, spec: AgentSpec) -> CatalogueEntry:
        """Return the entry of a declared agent."""
        return cls(
            name=spec.name,
            title=spec.title,
            description=spec.description,
            input_schema=spec.input_schema,
            output_schema=spec.output_schema,
            wrapped=spec.wrapped,
            durability=spec.durability,
            ordered=spec.ordered,
            max_attempts=spec.max_attempts,
            timeout_s=spec.timeout_s,
            subscriptions=spec.subscriptions,
            schedules=spec.schedules,
            as_tool=spec.tool,
            calls=spec.calls,
            patches=spec.patches,
            notify=spec.notify,
            publishes=spec.publishes,
            joins=spec.joins,
            singleton=spec.singleton,
        )

    def joins_events_of(self, topic: str) -> bool:
        """Tell whether an event of `topic` is a part of a task of its, and none by itself."""
        return self.joins is not None and topic in self.joins.topics

    def spec(self) -> AgentSpec:
        """Return what is known of the declaration, for a worker that cannot load the agent."""
        return AgentSpec(
            name=self.name,
            title=self.title,
            description=self.description,
            input_schema=self.input_schema,
            output_schema=self.output_schema,
            wrapped=self.wrapped,
            durability=self.durability,
            ordered=self.ordered,
            max_attempts=self.max_attempts,
            timeout_s=self.timeout_s,
            subscriptions=self.subscriptions,
            schedules=self.schedules,
            tool=self.as_tool,
            calls=self.calls,
            patches=self.patches,
            notify=self.notify,
            publishes=self.publishes,
            joins=self.joins,
            singleton=self.singleton,
        )

    def tool(self) -> JsonObject:
        """Return the agent as an MCP `Tool` definition."""
        tool: JsonObject = {
            "name": self.name,
            "title": self.title,
            "description": self.description,
            "inputSchema": self.input_schema,
        }
        if self.output_schema is not None:
            tool["outputSchema"] = self.output_schema
        if self.as_tool.annotations:
            tool["annotations"] = self.as_tool.annotations
        return tool

    def to_json(self) -> JsonObject:
        """Return the entry as a JSON object: the tool definition and what the swarm adds."""
        return {
            **self.tool(),
            "mcp": self.as_tool.to_json(),
            "wrapped": self.wrapped,
            "durability": self.durability.value,
            "ordered": self.ordered,
            "maxAttempts": self.max_attempts,
            "timeoutSeconds": self.timeout_s,
            "topics": [{"topic": s.topic, "types": list(s.types)} for s in self.subscriptions],
            "schedules": [
                {"expression": s.expression, "arguments": s.arguments} for s in self.schedules
            ],
            "calls": None if self.calls is None else list(self.calls),
            **({"patches": [*self.patches]} if self.patches else {}),
            **({"notify": [*self.notify]} if self.notify else {}),
            **({"publishes": self.publishes} if self.publishes else {}),
            **({"joins": self.joins.to_json()} if self.joins else {}),
            **({"singleton": self.singleton} if self.singleton else {}),
        }

    @classmethod
    def from_json(cls, entry: JsonObject) -> CatalogueEntry:
        """Return the entry that `to_json` wrote."""
        return cls(
            name=entry["name"],
            title=entry["title"],
            description=entry["description"],
            input_schema=entry["inputSchema"],
            output_schema=entry.get("outputSchema"),
            wrapped=entry["wrapped"],
            durability=Durability(entry["durability"]),
            ordered=entry["ordered"],
            max_attempts=entry["maxAttempts"],
            timeout_s=entry["timeoutSeconds"],
            subscriptions=tuple(
                Subscription(topic=s["topic"], types=tuple(s["types"])) for s in entry["topics"]
            ),
            schedules=tuple(
                Schedule(expression=s["expression"], arguments=s["arguments"])
                for s in entry.get("schedules", ())
            ),
            as_tool=AsTool.from_json(entry.get("mcp", {})),
            calls=None if (calls := entry.get("calls")) is None else tuple(calls),
            patches=tuple(entry.get("patches", ())),
            notify=tuple(entry.get("notify", ())),
            publishes=entry.get("publishes"),
            joins=Join.from_json(entry["joins"]) if "joins" in entry else None,
            singleton=entry.get("singleton"),
        )


@dataclass(frozen=True, kw_only=True)
class Catalogue:
    """The agents of one stage, in the order of their names.

    `removed` names those that earlier deployments had: their tasks, sessions and costs are still
    asked for. `deployed_ms` is when the code was last deployed (Unix milliseconds, 0: not known);
    `patched` since when each agent's code has had each of its patches, without a break. `notify`
    are those who may be named when a task is submitted, to be told of its end.
    """

    agents: Mapping[str, CatalogueEntry]
    removed: tuple[str, ...] = ()
    deployed_ms: int = 0
    patched: Mapping[str, Mapping[str, int]] = field(default_factory=dict)
    notify: tuple[str, ...] = ()

    @classmethod
    def of(cls, specs: Iterable[AgentSpec]) -> Catalogue:
        """Return the catalogue of declared agents."""
        entries = sorted((CatalogueEntry.of(spec) for spec in specs), key=lambda e: e.name)
        return cls(agents={entry.name: entry for entry in entries})

    def after(self, old: Catalogue) -> Catalogue:
        """Return this catalogue as it follows `old`: agents that are no more stay known by name."""
        gone = {*old.agents, *old.removed} - set(self.agents)
        return replace(self, removed=tuple(sorted(gone)))

    def deployed(self, old: Catalogue | None, *, now_ms: int) -> Catalogue:
        """Return this catalogue as of a deployment that ends now, after that of `old`."""
        before = {} if old is None else old.patched
        patched = {
            name: {patch: before.get(name, {}).get(patch, now_ms) for patch in entry.patches}
            for name, entry in self.agents.items()
            if entry.patches
        }
        return replace(self, deployed_ms=now_ms, patched=patched)

    @property
    def names(self) -> tuple[str, ...]:
        """Return the names of all agents that may have left records."""
        return (*self.agents, *self.removed)

    def agent(self, name: str) -> CatalogueEntry:
        """Return one agent's entry; raises UnknownAgent with near names in its hint."""
        entry = self.agents.get(name)
        if entry is None:
            raise UnknownAgent(
                f"no agent {name!r} is deployed", hint=_near(name, self.agents, UnknownAgent.hint)
            )
        return entry

    def callee(self, caller: str, name: str) -> CatalogueEntry:
        """Return the entry of an agent that the agent `caller` calls.

        Raises UnknownAgent as `agent` does, and UndeclaredCall where its role does not allow it.
        """
        entry = self.agent(name)
        known = self.agents.get(caller)
        if known is not None and known.calls is not None and name not in known.calls:
            raise UndeclaredCall(
                f"agent {caller!r} may not call {name!r}, which its code does not name: declare "
                f"calls={sorted({*known.calls, name})!r} for it, and deploy"
            )
        return entry

    def subscribers(self, topic: str, event_type: str | None) -> list[CatalogueEntry]:
        """Return the agents that get an event of this type; raises UnknownTopic if none listens.

        A type that nobody filters for reaches only the unfiltered subscribers, as on SNS.
        """
        topics = {s.topic for e in self.agents.values() for s in e.subscriptions}
        if topic not in topics:
            raise UnknownTopic(
                f"no agent subscribes to the topic {topic!r}",
                hint=_near(topic, topics, UnknownTopic.hint),
            )
        return [
            entry
            for entry in self.agents.values()
            if any(
                s.topic == topic and (not s.types or event_type in s.types)
                for s in entry.subscriptions
            )
        ]

    def results_to(self, topic: str) -> list[CatalogueEntry]:
        """Return the agents that get results published to a topic: events without a type."""
        try:
            return self.subscribers(topic, None)
        except UnknownTopic:
            return []

    def dump(self) -> str:
        """Return the JSON text that `load` reads."""
        agents = [entry.to_json() for entry in self.agents.values()]
        told: JsonObject = {"format": FORMAT, "agents": agents, "removed": [*self.removed]}
        if self.patched:
            told["patched"] = {name: {**since} for name, since in self.patched.items()}
        if self.notify:
            told["notify"] = [*self.notify]
        return dumps({**told, "deployed": self.deployed_ms} if self.deployed_ms else told)

    @classmethod
    def load(cls, text: str | bytes) -> Catalogue:
        """Return the catalogue in `text`; raises NotDeployed for another format than ours."""
        document = loads(text)
        if document.get("format") != FORMAT:
            message = f"the deployed stage has format {document.get('format')!r}, not {FORMAT}"
            raise NotDeployed(
                message,
                hint="Its records are laid out otherwise. Use the version it was deployed with, "
                "or make it anew: `sqswarm destroy`, then `sqswarm deploy`.",
            )
        entries = [CatalogueEntry.from_json(entry) for entry in document["agents"]]
        return cls(
            agents={entry.name: entry for entry in entries},
            removed=tuple(document["removed"]),
            deployed_ms=document.get("deployed", 0),
            patched=document.get("patched", {}),
            notify=tuple(document.get("notify", ())),
        )


def _near(name: str, names: Iterable[str], otherwise: str) -> str:
    from difflib import get_close_matches

    near = get_close_matches(name, list(names), n=3)
    return f"Did you mean {' or '.join(near)}?" if near else otherwise
